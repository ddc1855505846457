//! What a translation does to UDP, found out as by RFC 5780: a server that tells its clients from where they come, and
//! answers from elsewhere on demand, and a client that asks it.
//!
//! Requests and answers are words: `here` is answered from where it arrived, `port` from the other port of the same
//! address, `address` from the last address. Each answer is the address and port that the request came from.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use crate::{
    command::{run, wait_until},
    host::TestHost,
};

/// The ports of the server: that of STUN, and the one after it.
const PORTS: [u16; 2] = [3478, 3479];
/// How long the client waits for an answer that may not come, and how often it asks.
const SILENCE: Duration = Duration::from_millis(400);
const TRIES: usize = 2;
const LIMIT: Duration = Duration::from_secs(10);

/// A server that runs in a namespace.
#[derive(Debug)]
pub struct Reflector {
    child: Child,
}

impl Reflector {
    /// Ends it.
    pub fn stop(mut self) {
        let _ = self.child.kill();
        self.child.wait().expect("waiting for a reflector");
    }
}

/// What a client found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// From where it seems to come, for each server.
    pub mapped: Vec<SocketAddr>,
    /// Whether an answer came from another port of an address that it had sent to.
    pub from_port: bool,
    /// Whether one came from an address that it had not sent to.
    pub from_address: bool,
}

impl TestHost {
    /// Starts a server at addresses of a namespace.
    pub fn reflect(&self, namespace: &str, addresses: &[&str]) -> Reflector {
        let own = std::env::current_exe().expect("the path of this program");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace]).arg(own).arg("--reflect").args(addresses);
        let child = command.stdin(Stdio::null()).spawn().expect("starting a reflector");
        let sockets = addresses.len() * PORTS.len();
        wait_until("the reflector listens", LIMIT, || {
            self.exec(namespace, "ss -Hlun").stdout.matches(":347").count() >= sockets
        });
        Reflector { child }
    }

    /// Asks servers by one socket in a namespace, and where there are several, who else gets through.
    pub fn probe_nat(&self, namespace: &str, port: u16, servers: &[&str]) -> Seen {
        let own = std::env::current_exe().expect("the path of this program");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace]).arg(own).args(["--probe-nat", &port.to_string()]);
        let text = run(command.args(servers)).ok();
        let mut words = text.split_whitespace();
        let mut flag = || words.next().expect("two words and addresses") == "yes";
        let (from_port, from_address) = (flag(), flag());
        let mapped = words.map(|word| word.parse().expect("an address and a port")).collect();
        Seen { mapped, from_port, from_address }
    }
}

/// Serves until it is killed.
pub fn reflect(addresses: &[String]) -> bool {
    let bind = |address: &String| {
        let address: IpAddr = address.parse().expect("an address");
        PORTS.map(|port| UdpSocket::bind((address, port)).expect("binding in a namespace of ours"))
    };
    let sockets: Arc<Vec<[UdpSocket; 2]>> = Arc::new(addresses.iter().map(bind).collect());
    let all = (0..sockets.len()).flat_map(|at| [(at, 0), (at, 1)]);
    let threads = all.map(|(at, port)| {
        let sockets = Arc::clone(&sockets);
        thread::spawn(move || serve(&sockets, at, port))
    });
    threads.collect::<Vec<_>>().into_iter().all(|thread| thread.join().is_ok())
}

fn serve(sockets: &[[UdpSocket; 2]], at: usize, port: usize) {
    let mut buffer = [0; 64];
    while let Ok((length, from)) = sockets[at][port].recv_from(&mut buffer) {
        let by = match &buffer[..length] {
            b"port" => &sockets[at][1 - port],
            b"address" => &sockets[sockets.len() - 1][port],
            _ => &sockets[at][port],
        };
        // An answer that cannot be sent is one that does not come.
        let _ = by.send_to(from.to_string().as_bytes(), from);
    }
}

/// Prints what the client finds.
pub fn probe(port: &str, servers: &[String]) -> bool {
    let servers: Vec<SocketAddr> =
        servers.iter().map(|text| SocketAddr::new(text.parse().expect("an address"), PORTS[0])).collect();
    let any: IpAddr = if servers[0].is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
    let socket =
        UdpSocket::bind((any, port.parse().expect("a port"))).expect("binding in a namespace of ours");
    socket.set_read_timeout(Some(SILENCE)).expect("a timeout can be set");
    let ask = |server: SocketAddr, word: &str| {
        (0..TRIES).find_map(|_| {
            socket.send_to(word.as_bytes(), server).ok()?;
            let mut buffer = [0; 64];
            let (length, _) = socket.recv_from(&mut buffer).ok()?;
            Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
        })
    };
    let mapped: Vec<String> = servers.iter().filter_map(|server| ask(*server, "here")).collect();
    let yes = |answer: Option<String>| if answer.is_some() { "yes" } else { "no" };
    // Whoever asks one server alone does not want to know who else gets through.
    let through = |word| yes(if servers.len() > 1 { ask(servers[0], word) } else { None });
    let (from_port, from_address) = (through("port"), through("address"));
    println!("{from_port} {from_address} {}", mapped.join(" "));
    mapped.len() == servers.len()
}
