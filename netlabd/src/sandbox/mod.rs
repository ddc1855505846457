//! Namespaces for labs, and commands in them, made so that a lab's root is not the host's.
//!
//! A lab has one user namespace ([`UserNamespace`]) that owns the network namespaces of its nodes, and
//! one process namespace, which ends with its init ([`LabInit`]); [`pin()`] keeps namespaces when no
//! process is inside. [`spawn`] runs a command in a node. [`Cgroups`] bound a lab's memory and processes,
//! [`Ceilings`] what the kernel counts by user.
//!
//! What needs a process with one thread is done by a helper: the daemon's own program, which calls
//! [`dispatch()`] first in `main`. All functions block for the time they state: call them from a thread
//! that may.

mod attributes;
mod ceilings;
mod cgroup;
mod channel;
mod confine;
mod devices;
mod dispatch;
mod error;
mod evict;
mod exec;
mod fork_client;
mod fork_server;
mod helper;
mod init;
mod monitor;
mod mounts;
mod namespace;
mod notify;
mod owner;
mod pin;
mod proc;
mod rings;
mod runtime;
mod seccomp;
mod spec;
mod streams;
mod task;
mod terminal;
mod view;

pub use ceilings::Ceilings;
pub use cgroup::{Cgroup, Cgroups, Limits};
pub use dispatch::dispatch;
pub use error::{Error, Result, Step};
pub use evict::end_in;
pub use exec::{Child, Command, Exit, LabContext, spawn};
pub use fork_client::{end_preparations, prepare_commands};
pub use helper::set_helper_program;
pub use init::{LabInit, end_all};
pub use namespace::{IdRange, UserNamespace};
pub use pin::{
    is_bare, is_left_over, is_pin_of, mount_folder, open_pin, pin, prepare_directory, remove_directory,
    unmount_folder, unpin,
};
pub(crate) use proc::FRAGMENTS;
pub use runtime::runtime_directory;
pub use streams::{Streams, WindowSize};
pub use terminal::Terminal;

/// Reads bytes as a helper's report: for fuzzers.
pub fn read_report(bytes: &[u8]) {
    let _ = channel::Report::decode(bytes);
}
