//! The helper process, and how the daemon starts it and hears from it.
//!
//! User namespaces can only be entered by a process with one thread, and the daemon has many. So it
//! runs its own program again under the name [`NAME`]; [`dispatch`] recognises that and does the one
//! task that the first argument names. The helper's standard input is a [`Channel`]; every packet it
//! sends is a code (little-endian `i32`: 0, or a [`Step`]), an errno, and descriptors.

use std::{
    ffi::OsString,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{ffi::OsStrExt, process::CommandExt},
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use rustix::io::Errno;

use super::{
    channel::{Channel, Packet},
    error::{Error, Result, Step},
    namespace,
};

/// `argv[0]` of a helper.
const NAME: &str = "netlabd-sandbox";
/// Longest silence of a helper before it is ended. Making 200 namespaces takes it less than a second.
const SILENCE: Duration = Duration::from_secs(30);

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Names the program to run as helper instead of this process's own, `/proc/self/exe`. For programs
/// that use this library without calling [`dispatch`], such as tests. The first call counts.
pub fn set_helper_program(program: impl Into<PathBuf>) {
    PROGRAM.get_or_init(|| program.into());
}

/// Does a helper's work and exits, if this process is one; returns at once otherwise. Must be the
/// first call in `main`, before any thread is started.
pub fn dispatch() {
    let mut args = std::env::args_os();
    if args.next().is_none_or(|name| name.as_bytes() != NAME.as_bytes()) {
        return;
    }
    let args: Vec<OsString> = args.collect();
    std::process::exit(match become_helper().and_then(|channel| run(&args, &channel)) {
        Ok(()) => 0,
        Err(()) => 1,
    })
}

/// Runs the task and reports its failure.
fn run(args: &[OsString], channel: &Channel) -> Result<(), ()> {
    let task = args.first().map_or(&b""[..], |arg| arg.as_bytes());
    let done = match task {
        b"user-namespace" => namespace::helper_create(channel),
        b"network-namespaces" => namespace::helper_networks(channel),
        _ => Err((Step::Prepare, Errno::INVAL)),
    };
    // Nobody listens when sending fails: the daemon is gone.
    done.map_err(|(step, errno)| {
        // If even that fails, the parent sees the channel close.
        let _ = channel.send(&report(step as i32, errno.raw_os_error()), &[]);
    })
}

/// Shuts this process off: it dies with the daemon's thread, no lab process can read its memory or
/// descriptors, and it holds nothing but the channel and the log.
fn become_helper() -> Result<Channel, ()> {
    use rustix::process::{DumpableBehavior, Signal, set_dumpable_behavior, set_parent_process_death_signal};
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(drop)?;
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(drop)?;
    close_from(3).map_err(drop)?;
    // A copy that commands cannot inherit, in place of descriptor 0.
    let channel = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).map_err(drop)?;
    let null = std::fs::File::open("/dev/null").map_err(drop)?;
    rustix::stdio::dup2_stdin(&null).map_err(drop)?;
    Ok(Channel::from_fd(channel))
}

/// Closes every descriptor from `first` on (`close_range(2)`, Linux 5.9).
#[allow(unsafe_code, reason = "no safe wrapper exists")]
pub(super) fn close_from(first: u32) -> Result<(), Errno> {
    // SAFETY: takes no pointers. Only a helper calls it, before it owns any descriptor above 2 or
    // right before exec, so no owner of a closed descriptor lives on.
    match unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) } {
        0 => Ok(()),
        _ => Err(last_errno()),
    }
}

/// The errno of the libc call that just failed.
pub(super) fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// A packet's bytes.
fn report(code: i32, value: i32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&code.to_le_bytes());
    bytes[4..].copy_from_slice(&value.to_le_bytes());
    bytes
}

/// Reports progress with descriptors, in the helper.
pub(super) fn send_ok(channel: &Channel, fds: &[BorrowedFd<'_>]) -> Result<(), (Step, Errno)> {
    channel.send(&report(0, 0), fds).map_err(|errno| (Step::Talk, errno))
}

/// Receives what the daemon sends, in the helper. A closed channel means that the daemon is gone.
pub(super) fn receive(channel: &Channel) -> Result<Packet, (Step, Errno)> {
    channel.receive().and_then(|packet| packet.ok_or(Errno::PIPE)).map_err(|errno| (Step::Talk, errno))
}

/// A running helper, in the daemon. Ended and reaped when dropped.
#[derive(Debug)]
pub(super) struct Helper {
    child: Child,
    channel: Channel,
}

impl Helper {
    /// Starts a helper for `task`.
    pub(super) fn start(task: &str) -> Result<Self> {
        let start = |errno| Step::StartHelper.errno(errno);
        let (channel, theirs) = Channel::pair().map_err(start)?;
        channel.limit_wait(SILENCE).map_err(start)?;
        let program = PROGRAM.get().map_or_else(|| PathBuf::from("/proc/self/exe"), Clone::clone);
        let child = Command::new(program)
            .arg0(NAME)
            .arg(task)
            .env_clear()
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| start(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
        Ok(Self { child, channel })
    }

    /// The helper's process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a packet to the helper.
    pub(super) fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<()> {
        self.channel.send(bytes, fds).map_err(|errno| Step::Talk.errno(errno))
    }

    /// Waits for the next good report and its descriptors.
    pub(super) fn receive(&mut self) -> Result<Vec<OwnedFd>> {
        let packet = match self.channel.receive() {
            Ok(Some(packet)) => packet,
            Ok(None) => return Err(Error::HelperEnded(self.ending())),
            Err(Errno::AGAIN) => return Err(Error::HelperTimeout(SILENCE.as_secs())),
            Err(errno) => return Err(Step::Talk.errno(errno)),
        };
        let Ok(bytes) = <[u8; 8]>::try_from(packet.bytes) else {
            return Err(Error::HelperEnded("sent a packet of the wrong size".into()));
        };
        let (code, value) = bytes.split_at(4);
        let number = |bytes: &[u8]| i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        match number(code) {
            0 => Ok(packet.fds),
            code => Err(Step::from_code(code)
                .unwrap_or(Step::Talk)
                .errno(Errno::from_raw_os_error(number(value)))),
        }
    }

    /// Says how the helper ended.
    fn ending(&mut self) -> String {
        match self.child.wait() {
            Ok(status) => format!("ended without an answer ({status})"),
            Err(error) => format!("cannot be waited for ({error})"),
        }
    }
}

impl AsFd for Helper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Fails only when it has been reaped already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
