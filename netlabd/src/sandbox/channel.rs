//! Packets with file descriptors between the daemon and its helper: a `SOCK_SEQPACKET` pair, and the
//! reports that the helper sends through it.

use std::{
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
        SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
        sockopt::{Timeout, set_socket_timeout},
    },
};

use super::error::Step;

/// Most file descriptors in one packet; the kernel's own limit is 253 (`SCM_MAX_FD`).
pub(super) const MAX_FDS: usize = 200;
/// Longest packet in bytes; longer things travel as a memfd.
const MAX_BYTES: usize = 4096;

/// What a helper says. On the wire: two little-endian `i32`, a kind and a value. The kind is 0 or
/// below for good news and the code of a [`Step`] for a failure, whose value is the errno.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// A stage is done. What the value is depends on the task; often a process id.
    Done(i32),
    /// The command ended by itself with this code.
    Exited(i32),
    /// The command was ended by this signal.
    Signaled(i32),
    /// The kernel refused a step.
    Failed(Step, Errno),
}

impl Report {
    fn encode(self) -> [u8; 8] {
        let (kind, value) = match self {
            Self::Done(value) => (0, value),
            Self::Exited(code) => (-1, code),
            Self::Signaled(signal) => (-2, signal),
            Self::Failed(step, errno) => (step as i32, errno.raw_os_error()),
        };
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&kind.to_le_bytes());
        bytes[4..].copy_from_slice(&value.to_le_bytes());
        bytes
    }

    /// Reads a packet's bytes; `None` where they are no report.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, value) = bytes.split_first_chunk()?;
        let value = i32::from_le_bytes(value.try_into().ok()?);
        Some(match i32::from_le_bytes(*kind) {
            0 => Self::Done(value),
            -1 => Self::Exited(value),
            -2 => Self::Signaled(value),
            // Other numbers are none of Linux's errors.
            code if (1..4096).contains(&value) => {
                Self::Failed(Step::from_code(code)?, Errno::from_raw_os_error(value))
            }
            _ => return None,
        })
    }
}

/// One packet.
#[derive(Debug, Default)]
pub(super) struct Packet {
    pub(super) bytes: Vec<u8>,
    pub(super) fds: Vec<OwnedFd>,
}

/// One end of the pair.
#[derive(Debug)]
pub(super) struct Channel(OwnedFd);

impl Channel {
    /// Makes both ends, close-on-exec.
    pub(super) fn pair() -> Result<(Self, OwnedFd), Errno> {
        let (ours, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self(ours), theirs))
    }

    /// Takes an end that was inherited.
    pub(super) fn from_fd(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Makes a receive that waits longer than `limit` fail with EAGAIN.
    pub(super) fn limit_wait(&self, limit: Duration) -> Result<(), Errno> {
        set_socket_timeout(&self.0, Timeout::Recv, Some(limit))?;
        set_socket_timeout(&self.0, Timeout::Send, Some(limit))
    }

    /// Sends one packet of at most `MAX_BYTES` bytes and `MAX_FDS` descriptors.
    pub(super) fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(Errno::TOOBIG);
        }
        rustix::io::retry_on_intr(|| {
            rustix::net::sendmsg(&self.0, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)
        })
        .map(drop)
    }

    /// Sends a report.
    pub(super) fn report(&self, report: Report, fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
        self.send(&report.encode(), fds)
    }

    /// Waits for one packet; `None` once the other end is closed.
    pub(super) fn receive(&self) -> Result<Option<Packet>, Errno> {
        self.receive_with(RecvFlags::empty())
    }

    /// Takes a packet that is there already; EAGAIN where none is.
    pub(super) fn try_receive(&self) -> Result<Option<Packet>, Errno> {
        self.receive_with(RecvFlags::DONTWAIT)
    }

    /// Tells the other end that this one is done, without closing it.
    pub(super) fn shut(&self) {
        // Fails only when the other end is gone.
        rustix::net::shutdown(&self.0, rustix::net::Shutdown::Both).ok();
    }

    fn receive_with(&self, flags: RecvFlags) -> Result<Option<Packet>, Errno> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = vec![0; MAX_BYTES];
        let got = rustix::io::retry_on_intr(|| {
            let mut into = [IoSliceMut::new(&mut bytes)];
            rustix::net::recvmsg(&self.0, &mut into, &mut control, flags | RecvFlags::CMSG_CLOEXEC)
        })?;
        let mut fds = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                fds.extend(rights);
            }
        }
        // CTRUNC is how the kernel says that this process may not hold so many descriptors.
        if got.flags.contains(ReturnFlags::CTRUNC) {
            return Err(Errno::MFILE);
        }
        if got.bytes == 0 {
            return Ok(None);
        }
        bytes.truncate(got.bytes);
        Ok(Some(Packet { bytes, fds }))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_survive_the_wire() {
        let failed = Report::Failed(Step::NetworkNamespace, Errno::NOSPC);
        for report in [Report::Done(7), Report::Exited(127), Report::Signaled(9), failed] {
            assert_eq!(Report::decode(&report.encode()), Some(report));
        }
        assert_eq!(Report::decode(b"short"), None);
        assert_eq!(Report::decode(&[0x7f; 8]), None);
    }

    #[test]
    fn bytes_and_descriptors_arrive_together() {
        let (ours, theirs) = Channel::pair().unwrap();
        let theirs = Channel::from_fd(theirs);
        let null = std::fs::File::open("/dev/null").unwrap();
        ours.send(b"hello", &[null.as_fd(); 3]).unwrap();
        let packet = theirs.receive().unwrap().unwrap();
        assert_eq!((packet.bytes.as_slice(), packet.fds.len()), (b"hello".as_slice(), 3));
        drop(ours);
        assert!(theirs.receive().unwrap().is_none());
    }

    #[test]
    fn a_silent_peer_is_an_error_in_time() {
        let (ours, _theirs) = Channel::pair().unwrap();
        ours.limit_wait(Duration::from_millis(20)).unwrap();
        assert_eq!(ours.receive().unwrap_err(), Errno::AGAIN);
    }
}
