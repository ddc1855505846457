//! The helper's side: how a process learns that it is one, shuts itself off and does its task.
//!
//! User namespaces can only be entered by a process with one thread, and the daemon has many. So it
//! runs its own program again under the name [`NAME`] with the name of a [`Task`] as only argument.
//! Standard input is a [`Channel`] to the daemon.

use std::os::unix::ffi::OsStrExt;

use rustix::{
    io::Errno,
    process::{DumpableBehavior, Signal, set_dumpable_behavior, set_parent_process_death_signal},
};

use super::{
    channel::Channel,
    fork_server, init, namespace,
    task::{NAME, Task, TaskError, close_range, finish},
};

/// Does a helper's work and exits, if this process is one; returns at once otherwise. Must be the
/// first call in `main`, before any thread is started.
pub fn dispatch() {
    let mut args = std::env::args_os();
    if args.next().is_none_or(|name| name.as_bytes() != NAME.as_bytes()) {
        return;
    }
    // Started by a link, it would be called `exe` in lists of processes.
    rustix::thread::set_name(c"netlabd-sandbox").unwrap_or_default();
    let word = args.next().unwrap_or_default();
    let code = match Task::named(word.as_bytes())
        .ok_or(Errno::INVAL)
        .and_then(|task| Ok((task, become_helper(task)?)))
    {
        Ok((task, mut channel)) => {
            let result = run(task, &mut channel);
            finish(&channel, result)
        }
        Err(errno) => {
            eprintln!("{NAME}: this is a part of netlabd, not a command to run by hand: {errno}");
            2
        }
    };
    std::process::exit(code);
}

/// Does a task.
fn run(task: Task, channel: &mut Channel) -> Result<(), TaskError> {
    match task {
        Task::User => namespace::create(channel),
        Task::Networks => namespace::create_networks(channel),
        Task::Init => init::start(channel),
        Task::FindInit => init::find(channel),
        Task::Run => fork_server::serve(channel, run),
    }
}

/// Shuts this process off: no lab process can read its memory or descriptors, and it holds nothing but
/// the channel and the log. All but the one that outlives the thread which started it, since commands run under it,
/// die with that thread.
fn become_helper(task: Task) -> Result<Channel, Errno> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    if task != Task::Run {
        set_parent_process_death_signal(Some(Signal::KILL))?;
    }
    close_range(3, 0)?;
    // A copy that commands cannot inherit, in place of descriptor 0.
    let channel = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let null = std::fs::File::open("/dev/null").map_err(|_| Errno::NOENT)?;
    rustix::stdio::dup2_stdin(&null)?;
    Ok(Channel::from_fd(channel))
}
