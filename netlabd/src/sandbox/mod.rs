//! Namespaces for labs, made so that a lab's root is not the host's.
//!
//! A lab has one user namespace ([`UserNamespace`]) that owns the network namespaces of its nodes;
//! [`pin()`] keeps them when no process is inside. What needs a process with one thread is done by a
//! helper: the daemon's own program, which calls [`dispatch`] first in `main`. All functions block
//! for the time they state: call them from a thread that may.

mod channel;
mod error;
mod helper;
mod namespace;
mod pin;

pub use error::{Error, Result, Step};
pub use helper::{dispatch, set_helper_program};
pub use namespace::{IdRange, UserNamespace};
pub use pin::{is_pin_of, open_pin, pin, prepare_directory, unpin};
