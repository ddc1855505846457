//! How the daemon starts a helper process and hears from it.

use std::{
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use rustix::io::Errno;

use super::{
    channel::{Channel, Packet, Report},
    dispatch::{NAME, Task},
    error::{Error, Result, Step, errno},
};

/// Longest silence of a helper before it is ended. Making 200 namespaces takes it less than a second.
const SILENCE: Duration = Duration::from_secs(30);

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Names the program to run as helper instead of this process's own, `/proc/self/exe`. For programs
/// that use this library without calling [`dispatch`](super::dispatch()), such as tests. The first
/// call counts.
pub fn set_helper_program(program: impl Into<PathBuf>) {
    PROGRAM.get_or_init(|| program.into());
}

/// A running helper. Ended and reaped when dropped.
#[derive(Debug)]
pub(super) struct Helper {
    child: Option<Child>,
    channel: Channel,
    lingers: bool,
}

impl Helper {
    /// Starts a helper for `task`.
    pub(super) fn start(task: Task) -> Result<Self> {
        let start = |errno| Step::StartHelper.errno(errno);
        let (channel, theirs) = Channel::pair().map_err(start)?;
        channel.limit_wait(SILENCE).map_err(start)?;
        let program = PROGRAM.get().map_or_else(|| PathBuf::from("/proc/self/exe"), Clone::clone);
        let child = Command::new(program)
            .arg0(NAME)
            .arg(task.name())
            .env_clear()
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| start(errno(error)))?;
        Ok(Self { child: Some(child), channel, lingers: false })
    }

    /// Lets the helper end by itself when this is dropped, because it has to clean up: its channel is
    /// shut, which it notices.
    pub(super) fn linger(&mut self) {
        self.lingers = true;
    }

    /// The helper's process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Sends a packet to the helper.
    pub(super) fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<()> {
        self.channel.send(bytes, fds).map_err(|errno| Step::Talk.errno(errno))
    }

    /// Waits for the value and the descriptors of the next stage.
    pub(super) fn done(&mut self) -> Result<(i32, Vec<OwnedFd>)> {
        let packet = self.channel.receive();
        match self.judge(packet)? {
            (Report::Done(value), fds) => Ok((value, fds)),
            (Report::Failed(step, errno), _) => Err(step.errno(errno)),
            (other, _) => Err(Error::HelperEnded(format!("spoke out of turn ({other:?})"))),
        }
    }

    /// Waits until the helper has ended by itself, its work being done.
    pub(super) fn finish(mut self) -> Result<()> {
        let failed = |errno| Step::Talk.errno(errno);
        while self.channel.receive().map_err(failed)?.is_some() {}
        self.ending();
        Ok(())
    }

    /// Takes a report that is there already; `None` where there is none yet.
    pub(super) fn poll_report(&mut self) -> Result<Option<Report>> {
        match self.channel.try_receive() {
            Err(Errno::AGAIN) => Ok(None),
            packet => self.judge(packet).map(|(report, _)| Some(report)),
        }
    }

    fn judge(&mut self, packet: Result<Option<Packet>, Errno>) -> Result<(Report, Vec<OwnedFd>)> {
        match packet {
            Ok(Some(packet)) => match Report::decode(&packet.bytes) {
                Some(report) => Ok((report, packet.fds)),
                None => Err(Error::HelperEnded("sent something that is no report".into())),
            },
            Ok(None) => Err(Error::HelperEnded(self.ending())),
            Err(Errno::AGAIN) => Err(Error::HelperTimeout(SILENCE.as_secs())),
            Err(errno) => Err(Step::Talk.errno(errno)),
        }
    }

    /// Says how the helper ended.
    fn ending(&mut self) -> String {
        match self.child.take().map(|mut child| child.wait()) {
            Some(Ok(status)) => format!("ended without an answer ({status})"),
            Some(Err(error)) => format!("cannot be waited for ({error})"),
            None => "has ended before".into(),
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
        let Some(mut child) = self.child.take() else { return };
        if self.lingers {
            self.channel.shut();
            // Cleaning up takes it a few seconds at most, too long for the caller. Without the thread
            // it would stay a zombie until the daemon ends.
            std::thread::Builder::new().name("reap".into()).spawn(move || child.wait()).ok();
        } else {
            // Fails only when it has been reaped already.
            child.kill().ok();
            child.wait().ok();
        }
    }
}
