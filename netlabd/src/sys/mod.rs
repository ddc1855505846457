//! System calls that several parts of the daemon need, behind safe functions.

pub(crate) mod capabilities;
pub(crate) mod mount;
pub(crate) mod netns;
pub(crate) mod nsfs;
pub(crate) mod procfs;
pub(crate) mod sockopt;
