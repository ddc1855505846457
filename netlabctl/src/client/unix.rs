//! A daemon on this machine.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    time::{Duration, Instant},
};

use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};

use super::channel::over;
use crate::error::{Failure, NO_DAEMON, NOT_PERMITTED};

/// How long a full queue of connections is tried again, and how often: unix(7) answers EAGAIN at once.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);

/// Connects; waits a moment where others have filled the socket's queue.
async fn open(path: &str) -> io::Result<UnixStream> {
    let start = Instant::now();
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && start.elapsed() < PATIENCE => {
                tokio::time::sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}

/// Opens the socket.
pub(super) async fn dial(path: &str) -> Result<UnixStream, Failure> {
    open(path).await.map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => {
            Failure::new(NOT_PERMITTED, format!("{path}: {error}; {}", way_in(path)))
        }
        _ => Failure::new(
            NO_DAEMON,
            format!("no netlabd reached at {path}: {error}; is it running? try: systemctl status netlabd"),
        ),
    })
}

async fn again(path: String) -> io::Result<UnixStream> {
    open(&path).await
}

/// What to do to be let in by the socket.
fn way_in(path: &str) -> String {
    let group = fs::metadata(path).map_or(0, |socket| socket.gid());
    let user = std::env::var("USER").unwrap_or_default();
    advice(group, &user, &fs::read_to_string("/etc/group").unwrap_or_default())
}

/// The same for a socket of a group, with the text of group(5).
fn advice(socket: u32, user: &str, groups: &str) -> String {
    let rows = || groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let of_socket = rows().find(|row| row.get(2).is_some_and(|id| id.parse() == Ok(socket)));
    match of_socket.as_deref() {
        // Root's: netlabd found no group to give it to.
        _ if socket == 0 && rows().any(|row| row.first() == Some(&"netlab")) => {
            "only root may: netlabd was started before there was a group netlab; restart it (as root), and be in \
             that group: sudo usermod -aG netlab $USER, then log in again"
                .to_owned()
        }
        _ if socket == 0 => "only root may, since there is no group netlab: sudo groupadd --system netlab && sudo \
             usermod -aG netlab $USER, restart netlabd, then log in again"
            .to_owned(),
        Some([name, _, _, members, ..]) if !user.is_empty() && members.split(',').any(|one| one == user) => {
            format!("you are in group {name}, but were not yet when you logged in: log in again, or: newgrp {name}")
        }
        Some([name, ..]) => {
            format!("join the group {name}: sudo usermod -aG {name} $USER, then log in again, or: newgrp {name}")
        }
        _ => format!("join the group with id {socket}, then log in again"),
    }
}

/// Connects a channel. The first dial is ours, for its error; the channel dials again by itself
/// where the daemon was restarted.
pub(super) async fn connect(endpoint: &Endpoint, path: String) -> Result<Channel, Failure> {
    let first = dial(&path).await?;
    let stranger = format!("what listens at {path} is not netlabd");
    over(endpoint, first, move || again(path.clone()), stranger).await
}

#[cfg(test)]
mod tests {
    use super::advice;

    #[test]
    fn the_way_in_depends_on_the_groups_there_are() {
        const NONE: &str = "root:x:0:\n";
        const MADE: &str = "root:x:0:\nnetlab:x:990:alice,bob\n";
        for (socket, user, groups, says) in [
            (0, "alice", NONE, "sudo groupadd --system netlab"),
            (0, "alice", MADE, "restart it"),
            (990, "carol", MADE, "sudo usermod -aG netlab $USER"),
            (990, "alice", MADE, "log in again, or: newgrp netlab"),
            (991, "alice", MADE, "the group with id 991"),
        ] {
            let said = advice(socket, user, groups);
            assert!(said.contains(says), "{socket} {user}: {said}");
        }
        let said = advice(990, "alice", MADE);
        assert!(!said.contains("usermod"), "who is in the group need not join it: {said}");
    }
}
