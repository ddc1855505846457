//! System calls that several parts of the daemon need, behind safe functions.

pub(crate) mod capabilities;
pub(crate) mod netns;
pub(crate) mod sockopt;
