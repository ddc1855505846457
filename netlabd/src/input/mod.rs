//! What a client sends, value by value: where it stands, what is wrong with it, and the readers of names, addresses and
//! numbers that more than one thing has. None of it knows what a lab is.

pub(crate) mod address;
mod fault;
pub(crate) mod name;
pub(crate) mod number;
pub(crate) mod quantity;

pub use fault::{Fault, Faults, Path, Sink};
pub(crate) use fault::{listed, shown};
