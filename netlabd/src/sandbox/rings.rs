//! Packet rings of a lab's commands, within the lab's bound.
//!
//! A ring (`PACKET_RX_RING` and `PACKET_TX_RING` of `packet(7)`) is memory of the kernel that no cgroup counts, as much as
//! a program asks for. So what asks for one does not reach the kernel, but the command's monitor: that reads the request
//! once, takes the memory from the lab's budget, and makes the ring itself, on the command's socket. What the command
//! writes over its request meanwhile changes nothing.
//!
//! The budget is a file of the lab: each byte stands for a MiB, and a monitor holds locks on as many as the rings have that
//! it made. A lock ends with its ring, or with the monitor, which stays as long as any process of the command.

use std::{
    fs::File,
    io::{Read, Seek},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::fs::FileExt,
    },
};

use rustix::{
    event::PollFlags,
    fs::fstat,
    io::Errno,
    process::{Pid, PidfdFlags, pidfd_open},
};

use super::{
    channel::Channel,
    error::{Step, errno},
    notify::{self, Listener, Request},
    task::{At, TaskError, last_errno},
};

/// A byte of the budget.
const MIB: u64 = 1 << 20;

/// A ring that was made.
#[derive(Debug)]
struct Ring {
    socket: u64,
    name: libc::c_int,
    bytes: Bytes,
}

/// A part of the budget's file.
#[derive(Debug, Clone, Copy)]
struct Bytes {
    first: u32,
    count: u32,
}

/// Where requests come from.
#[derive(Debug)]
enum Source {
    /// The command is being prepared, and will send the listener.
    Awaited(Channel),
    Open(Listener),
    /// No process of the command is left.
    Gone,
}

/// The rings of one command.
#[derive(Debug)]
pub(super) struct Rings {
    source: Source,
    budget: File,
    /// MiB of the whole lab.
    limit: u32,
    /// `/proc/net/packet` of the node.
    sockets: File,
    made: Vec<Ring>,
    /// The command's mount namespace.
    mounts: Option<OwnedFd>,
}

impl Rings {
    /// For a command that is about to be forked by this process, which is in the node's network namespace; `budget` is this
    /// monitor's own open file. Also answers what the command needs for [`hand_over`].
    pub(super) fn new(budget: OwnedFd, limit: u32) -> Result<(Self, OwnedFd), TaskError> {
        let (ours, theirs) = Channel::pair().at(Step::Talk)?;
        let sockets = File::open("/proc/self/net/packet").at(Step::Rings)?;
        let source = Source::Awaited(ours);
        Ok((Self { source, budget: budget.into(), limit, sockets, made: Vec::new(), mounts: None }, theirs))
    }

    /// What to wait for; `None` once no process of the command is left.
    pub(super) fn source(&self) -> Option<BorrowedFd<'_>> {
        match &self.source {
            Source::Awaited(channel) => Some(channel.as_fd()),
            Source::Open(listener) => Some(listener.as_fd()),
            Source::Gone => None,
        }
    }

    /// Whether to come back after a second though nothing happens, so that the budget of rings that are gone is free for
    /// others.
    pub(super) fn are_there(&self) -> bool {
        !self.made.is_empty()
    }

    /// Does what there is to do.
    pub(super) fn work(&mut self, ready: PollFlags) {
        match &self.source {
            _ if ready.is_empty() => self.forget_the_gone(),
            Source::Awaited(channel) => {
                let fds = channel.receive().ok().flatten().map_or_else(Vec::new, |packet| packet.fds);
                let mut fds = fds.into_iter();
                self.source = fds.next().map_or(Source::Gone, |fd| Source::Open(Listener::new(fd)));
                self.mounts = fds.next();
            }
            Source::Open(listener) if ready.contains(PollFlags::IN) => {
                if let Ok(request) = listener.take() {
                    let done = self.serve(&request);
                    if let Source::Open(listener) = &self.source {
                        listener.answer(&request, done);
                    }
                }
            }
            _ => self.source = Source::Gone,
        }
    }

    /// Does for the command what it asked for.
    fn serve(&mut self, request: &Request) -> Result<(), Errno> {
        let [fd, _, name, address, length, _] = request.args;
        let process = open_process(request.thread)?;
        let wanted = read_memory(request.thread, address, length)?;
        let socket = copy_descriptor(&process, fd)?;
        // All of that was of the process that waits.
        match &self.source {
            Source::Open(listener) if listener.waits(request) => {}
            _ => return Err(Errno::SRCH),
        }
        // `struct tpacket_req`: size of a block, number of blocks.
        let number = |at: usize| {
            wanted.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes)
        };
        let (Some(size), Some(blocks)) = (number(0), number(4)) else { return Err(Errno::INVAL) };
        let name = libc::c_int::try_from(name & u64::from(u32::MAX)).map_err(|_| Errno::INVAL)?;
        let inode = fstat(&socket)?.st_ino;
        let bytes = u64::from(size) * u64::from(blocks);
        if bytes == 0 {
            set(&socket, name, &wanted)?;
            return self.forget(|ring| ring.socket == inode && ring.name == name);
        }
        self.forget_the_gone();
        // Of this node, so that it will be seen when it goes.
        if !self.living()?.contains(&inode) {
            return Err(Errno::NOPROTOOPT);
        }
        let bytes = self.reserve(bytes.div_ceil(MIB))?;
        match set(&socket, name, &wanted) {
            Ok(()) => self.made.push(Ring { socket: inode, name, bytes }),
            Err(errno) => {
                lock(&self.budget, libc::F_UNLCK, bytes)?;
                return Err(errno);
            }
        }
        Ok(())
    }

    /// Takes MiB from the lab's budget. ENOMEM, as the kernel says it: libpcap asks for less then.
    fn reserve(&self, mib: u64) -> Result<Bytes, Errno> {
        let count = u32::try_from(mib).map_err(|_| Errno::NOMEM)?;
        let mut first = 0_u32;
        while first.checked_add(count).is_some_and(|end| end <= self.limit) {
            let wanted = Bytes { first, count };
            // Its own locks would not be in this monitor's way.
            let own = self
                .made
                .iter()
                .find(|ring| ring.bytes.first < first + count && first < ring.bytes.first + ring.bytes.count);
            match own {
                Some(ring) => first = ring.bytes.first + ring.bytes.count,
                None if lock(&self.budget, libc::F_WRLCK, wanted).is_ok() => return Ok(wanted),
                None => first += 1,
            }
        }
        Err(Errno::NOMEM)
    }

    /// Gives back what rings had whose sockets are gone.
    pub(super) fn forget_the_gone(&mut self) {
        if self.made.is_empty() {
            return;
        }
        // Without the list, none is known to be gone.
        if let Ok(living) = self.living() {
            self.forget(|ring| !living.contains(&ring.socket)).unwrap_or_default();
        }
    }

    fn forget(&mut self, gone: impl Fn(&Ring) -> bool) -> Result<(), Errno> {
        let budget = &self.budget;
        let mut freed = Ok(());
        self.made.retain(|ring| {
            if gone(ring) {
                freed = freed.and(lock(budget, libc::F_UNLCK, ring.bytes));
            }
            !gone(ring)
        });
        freed
    }

    /// The packet sockets of the node.
    fn living(&mut self) -> Result<Vec<u64>, Errno> {
        let mut text = String::new();
        self.sockets.rewind().map_err(errno)?;
        self.sockets.read_to_string(&mut text).map_err(errno)?;
        Ok(inodes(&text))
    }
}

/// The last column of `/proc/net/packet`.
fn inodes(text: &str) -> Vec<u64> {
    text.lines().skip(1).filter_map(|line| line.split_whitespace().last()?.parse().ok()).collect()
}

/// In the command, before it is executed: has requests for rings go to the monitor from now on.
///
/// The monitor gets the command's mount namespace too, so that the kernel takes its mounts away after the end of the
/// command and not before: that waits for all processors.
pub(super) fn hand_over(monitor: OwnedFd, mounts: &OwnedFd) -> Result<(), TaskError> {
    let listener = notify::install().at(Step::Seccomp)?;
    Channel::from_fd(monitor).send(b"rings", &[listener.as_fd(), mounts.as_fd()]).at(Step::Talk)
}

/// Opens the process that a thread is of: such a handle is for whole processes.
fn open_process(thread: u32) -> Result<OwnedFd, Errno> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).map_err(errno)?;
    let process = status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok());
    pidfd_open(process.and_then(Pid::from_raw).ok_or(Errno::SRCH)?, PidfdFlags::empty())
}

/// Copies a request, up to the length of `struct tpacket_req3`.
#[expect(unsafe_code, reason = "no safe wrapper exists")]
fn read_memory(thread: u32, address: u64, length: u64) -> Result<Vec<u8>, Errno> {
    const LONGEST: usize = 28;
    let length = usize::try_from(length & u64::from(u32::MAX)).map_or(LONGEST, |length| length.min(LONGEST));
    let mut bytes = vec![0_u8; length];
    let here = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: length };
    let there = usize::try_from(address).map_err(|_| Errno::FAULT)?;
    let there = libc::iovec { iov_base: std::ptr::with_exposed_provenance_mut(there), iov_len: length };
    let thread = libc::pid_t::try_from(thread).map_err(|_| Errno::SRCH)?;
    // SAFETY: writes at most `length` bytes to where that many are; the other address is of the other process.
    let read = unsafe { libc::process_vm_readv(thread, &raw const here, 1, &raw const there, 1, 0) };
    match usize::try_from(read) {
        Ok(read) if read == length => Ok(bytes),
        Ok(_) => Err(Errno::FAULT),
        // A kernel without CONFIG_CROSS_MEMORY_ATTACH has the same as a file, which takes rights to the file too.
        Err(_) if last_errno() == Errno::NOSYS => {
            let memory = File::open(format!("/proc/{thread}/mem")).map_err(errno)?;
            memory.read_exact_at(&mut bytes, address).map_err(errno)?;
            Ok(bytes)
        }
        Err(_) => Err(last_errno()),
    }
}

/// Copies a descriptor of another process (`pidfd_getfd(2)`, Linux 5.6).
#[expect(unsafe_code, reason = "no safe wrapper exists")]
fn copy_descriptor(process: &OwnedFd, fd: u64) -> Result<OwnedFd, Errno> {
    // SAFETY: no pointers.
    let answer = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), fd, 0) };
    match i32::try_from(answer) {
        // SAFETY: a new descriptor that nobody else owns.
        Ok(fd @ 0..) => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(last_errno()),
    }
}

/// Sets an option of a packet socket.
#[expect(unsafe_code, reason = "no safe wrapper exists")]
fn set(socket: &OwnedFd, name: libc::c_int, value: &[u8]) -> Result<(), Errno> {
    let length = libc::socklen_t::try_from(value.len()).map_err(|_| Errno::INVAL)?;
    // SAFETY: a value of the length that is stated.
    match unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, name, value.as_ptr().cast(), length)
    } {
        0 => Ok(()),
        _ => Err(last_errno()),
    }
}

/// Locks a part of a file for this open file, or unlocks it (`F_OFD_SETLK` of `fcntl_locking(2)`). Never waits.
#[expect(unsafe_code, reason = "no safe wrapper exists")]
fn lock(file: &File, kind: libc::c_int, bytes: Bytes) -> Result<(), Errno> {
    // SAFETY: plain data, for which zero is valid.
    let mut request: libc::flock = unsafe { std::mem::zeroed() };
    request.l_type = libc::c_short::try_from(kind).map_err(|_| Errno::INVAL)?;
    request.l_whence = libc::c_short::try_from(libc::SEEK_SET).map_err(|_| Errno::INVAL)?;
    request.l_start = bytes.first.into();
    request.l_len = bytes.count.into();
    // SAFETY: one request, which the kernel reads.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const request) } {
        0 => Ok(()),
        _ => Err(last_errno()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rings(budget: File) -> Rings {
        let sockets = File::open("/dev/null").unwrap();
        Rings { source: Source::Gone, budget, limit: 8, sockets, made: Vec::new(), mounts: None }
    }

    #[test]
    fn a_lab_has_one_budget() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut one = rings(file.reopen().unwrap());
        let two = rings(file.reopen().unwrap());
        let reserved = one.reserve(3).unwrap();
        one.made.push(Ring { socket: 7, name: 5, bytes: reserved });
        let others = two.reserve(4).unwrap();
        assert_eq!((others.first, others.count), (3, 4));
        assert_eq!(one.reserve(2).unwrap_err(), Errno::NOMEM);
        assert_eq!(one.reserve(1 << 40).unwrap_err(), Errno::NOMEM);
        assert_eq!(one.reserve(1).unwrap().first, 7);
        // A monitor that ends, and a ring that goes.
        drop(two);
        one.forget(|ring| ring.socket == 7).unwrap();
        assert_eq!(rings(file.reopen().unwrap()).reserve(7).unwrap().first, 0);
    }

    #[test]
    fn the_list_of_packet_sockets_ends_with_their_numbers() {
        let text = "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n\
            00000000 3      3    0003   2     1 0      0      23681\n\
            00000000 3      3    0003   0     1 0      0      9\n";
        assert_eq!(inodes(text), [23_681, 9]);
    }
}
