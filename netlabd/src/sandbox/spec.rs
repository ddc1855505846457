//! What the daemon tells the helper about a command: a protobuf message in a memfd, since arguments
//! may be longer than a packet and nobody else may read them.

use std::{
    fs::File,
    io::{Read, Seek, Write},
    os::fd::OwnedFd,
};

use prost::Message;
use rustix::{
    fs::{MemfdFlags, memfd_create},
    io::Errno,
};

use super::error::errno;

/// A command and what it shall see.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Spec {
    /// Program and arguments.
    #[prost(string, repeated, tag = "1")]
    pub(super) args: Vec<String>,
    /// `NAME=value`, complete.
    #[prost(string, repeated, tag = "2")]
    pub(super) environment: Vec<String>,
    #[prost(string, tag = "3")]
    pub(super) working_directory: String,
    #[prost(string, tag = "4")]
    pub(super) hostname: String,
    /// Content of /etc/hosts.
    #[prost(string, tag = "5")]
    pub(super) hosts: String,
    /// Content of /etc/resolv.conf.
    #[prost(string, tag = "6")]
    pub(super) resolv_conf: String,
    /// Its streams are a terminal, which controls the session.
    #[prost(bool, tag = "7")]
    pub(super) terminal: bool,
    /// Outlive the daemon's interest.
    #[prost(bool, tag = "8")]
    pub(super) detached: bool,
    /// The lab's root as the host numbers it; owns the temporary directories.
    #[prost(uint32, tag = "9")]
    pub(super) root: u32,
    /// Most processes of one user id, `RLIMIT_NPROC`.
    #[prost(uint32, tag = "11")]
    pub(super) processes: u32,
    /// The terminal's size in characters.
    #[prost(uint32, tag = "12")]
    pub(super) rows: u32,
    #[prost(uint32, tag = "13")]
    pub(super) columns: u32,
    /// MiB of packet rings in all of the lab.
    #[prost(uint32, tag = "15")]
    pub(super) rings: u32,
}

impl Spec {
    /// Writes it into a new memfd.
    pub(super) fn store(&self) -> Result<OwnedFd, Errno> {
        let mut file = File::from(memfd_create("netlabd-command", MemfdFlags::CLOEXEC)?);
        file.write_all(&self.encode_to_vec()).map_err(errno)?;
        file.rewind().map_err(errno)?;
        Ok(file.into())
    }

    /// Reads it from the memfd.
    pub(super) fn load(fd: OwnedFd) -> Result<Self, Errno> {
        let mut bytes = Vec::new();
        File::from(fd).read_to_end(&mut bytes).map_err(errno)?;
        Self::decode(bytes.as_slice()).map_err(|_| Errno::BADMSG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_arguments_survive() {
        let spec = Spec { args: vec!["x".repeat(1 << 20)], root: 7, ..Spec::default() };
        assert_eq!(Spec::load(spec.store().unwrap()).unwrap(), spec);
    }
}
