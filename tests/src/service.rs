//! A TCP service of one sentence, and its client.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{
    command::{run, wait_until},
    host::TestHost,
};

/// How long a client waits for an answer.
const LIMIT: Duration = Duration::from_secs(10);

/// A service that runs in a namespace.
#[derive(Debug)]
pub struct Service {
    child: Child,
}

impl Service {
    /// Ends it.
    pub fn stop(mut self) {
        let _ = self.child.kill();
        self.child.wait().expect("waiting for a service");
    }
}

impl TestHost {
    /// Starts a service at a TCP port in a namespace.
    pub fn serve(&self, namespace: &str, port: u16, sentence: &str) -> Service {
        let own = std::env::current_exe().expect("the path of this program");
        let child = Command::new("ip")
            .args(["netns", "exec", namespace])
            .arg(own)
            .args(["--serve", &port.to_string(), sentence])
            .stdin(Stdio::null())
            .spawn()
            .expect("starting a service");
        wait_until("the service listens", LIMIT, || {
            self.exec(namespace, "ss -Hltn").stdout.contains(&format!(":{port} "))
        });
        Service { child }
    }

    /// What a service at `ADDRESS:PORT` says to a client in a namespace.
    pub fn fetch(&self, namespace: &str, at: &str) -> String {
        let own = std::env::current_exe().expect("the path of this program");
        let mut command = Command::new("ip");
        run(command.args(["netns", "exec", namespace]).arg(own).args(["--fetch", at])).ok()
    }
}

/// Answers each connection with a sentence, until it is killed.
pub fn serve(port: u16, sentence: &str) -> bool {
    let listener = TcpListener::bind(("::", port)).or_else(|_| TcpListener::bind(("0.0.0.0", port)));
    let listener = listener.expect("listening at a port of a namespace of ours");
    for mut stream in listener.incoming().flatten() {
        // A client that is gone is not the service's affair.
        let _ = stream.write_all(sentence.as_bytes());
        let _ = stream.shutdown(Shutdown::Both);
    }
    true
}

/// Prints what a service says.
pub fn fetch(at: &str) -> bool {
    let mut said = String::new();
    let outcome = at.parse().map_err(std::io::Error::other).and_then(|address| {
        let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.read_to_string(&mut said)
    });
    print!("{said}");
    outcome.inspect_err(|error| eprintln!("{at}: {error}")).is_ok()
}
