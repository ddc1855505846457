//! The helper that runs a command in a node, forked by the [`fork_server`](super::fork_server): it goes into the lab's process namespace, forks the
//! command, and stays outside the cage to pass on signals and report the end.
//!
//! The order of [`become_command`] is what keeps the host safe; see each step's comment.

use std::os::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    unix::process::CommandExt,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, pidfd_open,
        set_parent_process_death_signal, waitid,
    },
    thread::{LinkNameSpaceType, UnshareFlags},
};

use super::{
    channel::{Channel, Packet, Report},
    confine,
    error::Step,
    mounts,
    namespace::{enter, open_own, unshare},
    rings::{self, Rings},
    seccomp,
    spec::Spec,
    streams::{self, Ends, Streams, WindowSize},
    task::{At, TaskError, close_range, default_signals, done, finish, fork},
};

/// How long a command whose user has gone may take to end by itself, in ms: after SIGHUP, after SIGTERM.
const GRACE: [(Signal, i64); 2] = [(Signal::HUP, 500), (Signal::TERM, 1500)];

/// What the daemon passes along with a command.
struct Request {
    spec: Spec,
    user: OwnedFd,
    run: OwnedFd,
    procs: Option<OwnedFd>,
}

/// Helper's task: run a command and watch over it.
pub(super) fn run(channel: &Channel) -> Result<(), TaskError> {
    let packet = channel.receive().and_then(|packet| packet.ok_or(Errno::PIPE)).at(Step::Talk)?;
    let (request, [network, processes, rings]) = unpack(packet)?;
    let detached = request.spec.detached;
    // One that stays counts like the command, and where the lab is full there is no room for either. One that has
    // a client joins after the fork: into a lab that is full an exec must lead, to make room.
    if detached {
        join(request.procs.as_ref())?;
    }
    // Before the fork: kernels that lack a check on a veth's peer let anybody in the lab put a link
    // wherever a process id leads, and the child has one from its first moment.
    enter(&network, LinkNameSpaceType::Network).at(Step::EnterNetworkNamespace)?;
    enter(&processes, LinkNameSpaceType::ProcessID).at(Step::EnterProcessNamespace)?;
    let (mut rings, theirs) = Rings::new(rings, request.spec.rings)?;
    let Some(child) = fork().at(Step::Fork)? else {
        let Err(failure) = become_command(channel, request, theirs);
        finish(channel, Err(failure));
        std::process::exit(exit_code(failure));
    };
    drop((network, processes, theirs));
    if let Err(failure) = become_monitor(&request) {
        kill_process(child, Signal::KILL).ok();
        return Err(failure);
    }
    drop(request);
    watch(channel, child, detached, &mut rings)?;
    // Who waits for the command's end knows it by now. Processes that it left behind may have rings.
    while rings.source().is_some() {
        wait(&[], &mut rings)?;
    }
    Ok(())
}

/// Joins the lab's cgroup, where there is one.
fn join(procs: Option<&OwnedFd>) -> Result<(), TaskError> {
    procs.map_or(Ok(()), |procs| rustix::io::write(procs, b"0").at(Step::JoinCgroup).map(drop))
}

/// Gives up all power but that over the lab's processes, to signal them and to read what they ask for, for whom this one counts from now on: however many
/// commands run, they cost the lab and not the service. No process of the lab sees it: it is in the host's process
/// namespace, and not dumpable.
fn become_monitor(request: &Request) -> Result<(), TaskError> {
    join(request.procs.as_ref())?;
    enter(&request.user, LinkNameSpaceType::User).at(Step::EnterUserNamespace)?;
    confine::become_lab_root()?;
    confine::keep_care()
}

fn unpack(packet: Packet) -> Result<(Request, [OwnedFd; 3]), TaskError> {
    let mut fds = packet.fds.into_iter();
    let mut next = || fds.next().ok_or((Step::Talk, Errno::INVAL));
    let spec = Spec::load(next()?).at(Step::Talk)?;
    let (user, processes, network, rings, run) = (next()?, next()?, next()?, next()?, next()?);
    Ok((Request { spec, user, run, procs: fds.next() }, [network, processes, rings]))
}

/// What a shell answers for the same failure.
fn exit_code((step, errno): TaskError) -> i32 {
    match (step, errno) {
        (Step::Execute, Errno::NOENT | Errno::NOTDIR) => 127,
        (Step::Execute, _) => 126,
        _ => 125,
    }
}

/// Turns the forked child into the command. Returns only on failure.
fn become_command(
    channel: &Channel,
    request: Request,
    monitor: OwnedFd,
) -> Result<std::convert::Infallible, TaskError> {
    let Request { spec, user, run, procs } = request;
    prepare_process(procs.as_ref())?;
    // A copy of the view. As host root still: the mount namespace must stay the host's, or the lab's root could mount.
    unshare(UnshareFlags::NEWNS | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS).at(Step::Unshare)?;
    rustix::system::sethostname(spec.hostname.as_bytes()).at(Step::HostName)?;
    mounts::isolate(&spec, &run)?;
    drop(run);
    let own_mounts = open_own("mnt")?;
    // From here on without power over the host. Entering refills the bounding set, so it comes first.
    enter(&user, LinkNameSpaceType::User).at(Step::EnterUserNamespace)?;
    confine::become_lab_root()?;
    if !spec.detached {
        // The change of identity has cleared it.
        set_parent_process_death_signal(Some(Signal::KILL)).at(Step::Identity)?;
    }
    // By now it is the lab's root who makes them, and whose they are.
    let ours = open_streams(&spec)?;
    confine::limit_resources(spec.processes)?;
    confine::drop_capabilities()?;
    rings::hand_over(monitor, &own_mounts)?;
    seccomp::install()?;
    rustix::process::chdir(spec.working_directory.as_str()).at(Step::WorkingDirectory)?;
    let ends: Vec<_> = ours.iter().map(AsFd::as_fd).collect();
    done(channel, rustix::process::getpid().as_raw_nonzero().get(), &ends)?;
    // At exec, so that a failing exec can still be reported.
    close_range(3, libc::CLOSE_RANGE_CLOEXEC).at(Step::Execute)?;
    let program = spec.args.first().ok_or((Step::Execute, Errno::INVAL))?;
    let mut command = std::process::Command::new(program);
    command.args(&spec.args[1..]).env_clear();
    command.envs(spec.environment.iter().filter_map(|entry| entry.split_once('=')));
    Err(command.exec()).at(Step::Execute)
}

/// Signals, session, cgroup: what needs no namespace.
fn prepare_process(procs: Option<&OwnedFd>) -> Result<(), TaskError> {
    default_signals();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    // Lab processes go first when memory is short. Not vital. They cannot lower it: their /proc is read-only.
    std::fs::write("/proc/self/oom_score_adj", "500").ok();
    join(procs)?;
    rustix::process::setsid().at(Step::Session).map(drop)
}

/// Makes the command's streams, of which a terminal controls its session too; answers the daemon's ends.
fn open_streams(spec: &Spec) -> Result<Vec<OwnedFd>, TaskError> {
    let characters = |count: u32| u16::try_from(count).unwrap_or(u16::MAX);
    let (kind, step) = match spec {
        Spec { terminal: true, rows, columns, .. } => {
            let size = WindowSize { rows: characters(*rows), columns: characters(*columns) };
            (Streams::Terminal(size), Step::Terminal)
        }
        Spec { detached: true, .. } => (Streams::Detached, Step::Streams),
        _ => (Streams::Pipes, Step::Streams),
    };
    let Ends { theirs: [stdin, stdout, stderr], ours } = streams::make(kind).at(step)?;
    rustix::stdio::dup2_stdin(&stdin).at(step)?;
    rustix::stdio::dup2_stdout(&stdout).at(step)?;
    rustix::stdio::dup2_stderr(&stderr).at(step)?;
    if spec.terminal {
        rustix::process::ioctl_tiocsctty(&stdin).at(Step::Session)?;
    }
    Ok(ours)
}

/// Passes signals on until the command ends, and reports how. Once the daemon has closed the channel,
/// the command has to end, unless it is detached. Even then the monitor stays to reap it: orphans of
/// another process namespace go to the host's init, and in a container that may be one that does not reap.
fn watch(channel: &Channel, child: Pid, detached: bool, rings: &mut Rings) -> Result<(), TaskError> {
    let process = pidfd_open(child, PidfdFlags::empty()).at(Step::Wait)?;
    let mut listening = true;
    loop {
        let both = [process.as_fd(), channel.as_fd()];
        match wait(if listening { &both } else { &both[..1] }, rings)?[..] {
            [true, ..] => break,
            [_, true] => {}
            _ => continue,
        }
        match channel.receive() {
            Ok(Some(packet)) => {
                let number = packet.bytes.try_into().map_or(0, i32::from_le_bytes);
                if let Some(signal) = Signal::from_named_raw(number) {
                    // The group may be gone already.
                    kill_process_group(child, signal).ok();
                }
            }
            _ if detached => listening = false,
            _ => {
                hang_up(child, &process);
                break;
            }
        }
    }
    let status = waitid(WaitId::PidFd(process.as_fd()), WaitIdOptions::EXITED).at(Step::Wait)?;
    // Before anybody knows of the end, so that the next command finds the room.
    rings.forget_the_gone();
    let report = match status {
        Some(status) => match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Report::Exited(code),
            (None, signal) => Report::Signaled(signal.unwrap_or_default()),
        },
        None => Report::Failed(Step::Wait, Errno::CHILD),
    };
    // Fails when the daemon has closed the channel.
    channel.report(report, &[]).ok();
    Ok(())
}

/// Waits until one of these is ready, and answers which; or there is something to do about rings, which is done.
fn wait(fds: &[BorrowedFd<'_>], rings: &mut Rings) -> Result<Vec<bool>, TaskError> {
    const LOOK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
    let limit = rings.are_there().then_some(LOOK);
    let all = fds.iter().copied().chain(rings.source());
    let mut all: Vec<_> = all.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    rustix::io::retry_on_intr(|| poll(&mut all, limit.as_ref())).at(Step::Wait)?;
    let mut events: Vec<_> = all.iter().map(PollFd::revents).collect();
    let asked = events.split_off(fds.len()).pop();
    let idle = events.iter().all(PollFlags::is_empty);
    match asked {
        Some(asked) if idle || !asked.is_empty() => rings.work(asked),
        _ => {}
    }
    Ok(events.iter().map(|events| !events.is_empty()).collect())
}

/// Ends the command's process group: politely first, then for sure.
fn hang_up(child: Pid, process: &OwnedFd) {
    for (signal, ms) in GRACE {
        kill_process_group(child, signal).ok();
        kill_process_group(child, Signal::CONT).ok();
        let wait = Timespec { tv_sec: ms / 1000, tv_nsec: ms % 1000 * 1_000_000 };
        if poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&wait)).is_ok_and(|ready| ready > 0) {
            break;
        }
    }
    // Not reaped yet, so the number still is the group's: what is left of it goes too.
    kill_process_group(child, Signal::KILL).ok();
    kill_process(child, Signal::KILL).ok();
}
