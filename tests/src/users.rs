//! Ordinary users of a private host, with groups of its own.

use std::{fs, path::Path, process::Command};

use rustix::mount::mount_bind;

use crate::{
    command::{Output, run},
    daemon::program,
    host::TestHost,
};

/// Id of group `netlab` on a private host with users.
pub const MEMBERS: u32 = 4900;

/// Id of group `netlab-admin` there.
pub const ADMINS: u32 = 4901;

/// An ordinary user.
#[derive(Debug, Clone, Copy)]
pub struct User {
    /// User id, and id of the user's own group.
    pub uid: u32,
    /// Supplementary groups.
    pub groups: &'static [u32],
}

/// Has labs.
pub const ALICE: User = User { uid: 4001, groups: &[MEMBERS] };
/// Has other labs.
pub const BOB: User = User { uid: 4002, groups: &[MEMBERS] };
/// Looks after everybody's.
pub const CAROL: User = User { uid: 4003, groups: &[MEMBERS, ADMINS] };
/// Has nothing to do with netlab.
pub const MALLORY: User = User { uid: 4004, groups: &[4999] };

/// Gives the private host the users and groups; before netlabd is started.
pub fn move_in(host: &TestHost) {
    let strip = |path: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines()
            .filter(|line| !line.starts_with("netlab") && !line.starts_with("sshd:"))
            .fold(String::new(), |all, line| all + line + "\n")
    };
    let groups = format!("netlab:x:{MEMBERS}:alice,carol\nnetlab-admin:x:{ADMINS}:carol\n");
    let users = "alice:x:4001:4001::/:/bin/sh\ncarol:x:4003:4003::/:/bin/sh\n\
                 dave:x:4005:4005::/:/bin/sh\nsshd:x:4998:4998::/run/sshd:/usr/sbin/nologin\n";
    for (path, more) in [("/etc/group", groups.as_str()), ("/etc/passwd", users)] {
        let own = host.file(&path.replace('/', "-"), strip(path) + more);
        mount_bind(&own, path).unwrap_or_else(|error| panic!("mounting over {path}: {error}"));
    }
    // The folder in which the programs were built may be closed to others.
    for name in ["netlabctl", "netlab-tests"] {
        let own = host.file(name, "");
        mount_bind(program(name), &own).unwrap_or_else(|error| panic!("mounting {own}: {error}"));
    }
}

impl User {
    /// A program of the workspace, ready to be run as this user.
    pub fn command(&self, host: &TestHost, name: &str, args: &[&str]) -> Command {
        self.run_as(host, &host.scratch(name), args)
    }

    /// A shell that runs a script as this user, with the programs in its PATH.
    pub fn shell(&self, host: &TestHost, script: &str) -> Command {
        let mut command = self.run_as(host, Path::new("/bin/sh"), &["-c", script]);
        command.env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", host.scratch("").display()));
        command
    }

    fn run_as(&self, host: &TestHost, program: &Path, args: &[&str]) -> Command {
        let groups: Vec<_> = self.groups.iter().map(ToString::to_string).collect();
        let uid = self.uid.to_string();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &uid, "--regid", &uid, "--groups", &groups.join(","), "--"]);
        command.arg(program).args(args).current_dir("/");
        command.env("NETLAB_HOST", format!("unix://{}", host.folders().socket().display()));
        command
    }

    /// Runs netlabctl as this user.
    pub fn ctl(&self, host: &TestHost, args: &[&str]) -> Output {
        run(&mut self.command(host, "netlabctl", args))
    }
}
