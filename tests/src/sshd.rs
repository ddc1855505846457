//! A real sshd on the private host, and the laptop's ssh with a key and a configuration of its own.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{command::wait_until, host::TestHost, remote::HOST};

/// How alice reaches the private host.
pub const URL: &str = "ssh://alice@198.18.0.1:2222";

/// How long sshd may take to listen.
const LIMIT: Duration = Duration::from_secs(30);

/// Where its things are.
const DIR: &str = "/run/test/ssh";

/// A running sshd.
#[derive(Debug)]
pub struct Sshd {
    child: Child,
}

impl Sshd {
    /// Starts it; users of the private host log in with the laptop's key.
    pub fn start(host: &TestHost) -> Self {
        let program = program();
        host.sh(&format!(
            "mkdir -p {DIR}/bin {DIR}/far /run/sshd; chmod 755 {DIR} /run/sshd
             ssh-keygen -q -t ed25519 -N '' -f {DIR}/host; ssh-keygen -q -t ed25519 -N '' -f {DIR}/key
             ln -s /run/test/netlabctl {DIR}/far/netlabctl
             echo \"[{HOST}]:2222 $(cat {DIR}/host.pub)\" >{DIR}/known_hosts"
        ));
        let server = format!(
            "ListenAddress {HOST}:2222\nHostKey {DIR}/host\nPidFile none\nUsePAM no\nStrictModes no\n\
             AuthorizedKeysFile {DIR}/key.pub\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             SetEnv PATH={DIR}/far:/usr/bin:/bin NETLAB_HOST=unix://{}\n",
            host.folders().socket().display()
        );
        fs::write(format!("{DIR}/sshd_config"), server).expect("writing sshd's configuration");
        let client = format!(
            "IdentityFile {DIR}/key\nIdentitiesOnly yes\nUserKnownHostsFile {DIR}/known_hosts\n\
             GlobalKnownHostsFile /dev/null\nStrictHostKeyChecking yes\nIdentityAgent none\n"
        );
        fs::write(format!("{DIR}/ssh_config"), client).expect("writing ssh's configuration");
        let wrapper = format!("{DIR}/bin/ssh");
        fs::write(&wrapper, format!("#!/bin/sh\nexec /usr/bin/ssh -F {DIR}/ssh_config \"$@\"\n"))
            .expect("writing");
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).expect("making it a program");
        let log = fs::File::create(format!("{DIR}/log")).expect("making a log");
        let child = Command::new(program)
            .args(["-D", "-e", "-f", &format!("{DIR}/sshd_config")])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("starting sshd");
        wait_until("sshd listens", LIMIT, || host.sh("ss -Hltn").contains(":2222 "));
        Self { child }
    }

    /// The laptop's PATH.
    pub fn path(&self) -> String {
        format!("{DIR}/bin:{}", std::env::var("PATH").unwrap_or_default())
    }

    /// Ends all sessions as if their machine had died: by killing what serves them.
    pub fn drop_sessions(&self, host: &TestHost) {
        // Only the processes of this private host are to be seen here.
        host.sh(&format!("kill -9 $(pgrep -x sshd | grep -vx {})", self.child.id()));
    }

    /// Takes netlabctl out of the far side's PATH.
    pub fn hide_netlabctl(&self, host: &TestHost) {
        host.sh(&format!("rm {DIR}/far/netlabctl"));
    }

    /// Puts it back.
    pub fn show_netlabctl(&self, host: &TestHost) {
        host.sh(&format!("ln -s /run/test/netlabctl {DIR}/far/netlabctl"));
    }
}

/// sshd, as tests/setup unpacked it, or the machine's own.
fn program() -> PathBuf {
    // The programs are in a folder of cargo's target folder.
    let own = std::env::current_exe().expect("the path of this program");
    let target = own.parent().and_then(Path::parent).expect("a program in a folder of the target folder");
    let unpacked = target.join("sshd/usr/sbin/sshd");
    if unpacked.exists() { unpacked } else { Path::new("/usr/sbin/sshd").to_owned() }
}
