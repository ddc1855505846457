//! How the daemon starts a helper process and hears from it.

use std::{
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use rustix::io::Errno;

use super::{
    channel::{Channel, Packet, Report},
    error::{Error, Result, Step, errno},
    task::{NAME, Task},
};

/// Longest silence of a helper before it is ended. Making 200 namespaces takes it less than a second.
pub(super) const SILENCE: Duration = Duration::from_secs(30);

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Names the program to run as helper instead of this process's own, `/proc/self/exe`. For programs
/// that use this library without calling [`dispatch`](super::dispatch()), such as tests. The first
/// call counts.
pub fn set_helper_program(program: impl Into<PathBuf>) {
    PROGRAM.get_or_init(|| program.into());
}

/// A running helper. Ended and reaped when dropped; one that was forked for a command ends by itself, because it
/// has to clean up: its channel is shut, which it notices.
#[derive(Debug)]
pub(super) struct Helper {
    process: Process,
    channel: Channel,
    silence: Duration,
}

/// Whose child a helper is.
#[derive(Debug)]
enum Process {
    /// The daemon's.
    Child(Child),
    /// The fork server's, which reaps it; its process id.
    Forked(u32),
    /// The daemon's, and reaped.
    Reaped,
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
        Ok(Self { process: Process::Child(child), channel, silence: SILENCE })
    }

    /// One that the fork server has made.
    pub(super) fn forked(channel: Channel, process: u32) -> Self {
        Self { process: Process::Forked(process), channel, silence: SILENCE }
    }

    /// Chooses another longest silence than [`SILENCE`].
    pub(super) fn limit_wait(&mut self, silence: Duration) -> Result<()> {
        self.silence = silence;
        self.channel.limit_wait(silence).map_err(|errno| Step::StartHelper.errno(errno))
    }

    /// The helper's process id.
    pub(super) fn pid(&self) -> u32 {
        match &self.process {
            Process::Child(child) => child.id(),
            Process::Forked(process) => *process,
            Process::Reaped => 0,
        }
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

    /// Lets a helper that has nothing more to do end by itself; one that takes longer is killed.
    pub(super) fn end(mut self, limit: Duration) {
        const LOOK: Duration = Duration::from_millis(1);
        self.channel.shut();
        let Process::Child(child) = &mut self.process else { return };
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            match child.try_wait() {
                Ok(None) => std::thread::sleep(LOOK),
                Ok(Some(_)) => {
                    self.process = Process::Reaped;
                    return;
                }
                Err(_) => return,
            }
        }
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
            Err(Errno::AGAIN) => Err(Error::HelperTimeout(self.silence.as_secs())),
            Err(errno) => Err(Step::Talk.errno(errno)),
        }
    }

    /// Says how the helper ended.
    fn ending(&mut self) -> String {
        let Process::Child(child) = &mut self.process else { return "ended without an answer".into() };
        let ending = match child.wait() {
            Ok(status) => format!("ended without an answer ({status})"),
            Err(error) => format!("cannot be waited for ({error})"),
        };
        self.process = Process::Reaped;
        ending
    }
}

impl AsFd for Helper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        match &mut self.process {
            Process::Child(child) => {
                // Fails only when it has been reaped already.
                child.kill().ok();
                child.wait().ok();
            }
            Process::Forked(_) => self.channel.shut(),
            Process::Reaped => {}
        }
    }
}
