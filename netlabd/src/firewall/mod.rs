//! Which firewall rules of others drop what a lab sends through the host.
//!
//! Pure functions over a [`Ruleset`]: a [`Flow`] is a kind of traffic that the lab needs, of which some
//! things are known (interfaces, addresses, the connection's state) and others are not (ports). A rule
//! then matches all of it, some of it, none of it, or it cannot be told. A flow is reported as dropped
//! only where all of it is, save what a rule that comes first lets pass.

mod advice;
mod flow;
mod known;
mod needs;
mod report;
mod rule;
mod text;
mod walk;

pub use flow::{Flow, HostInterface, Purpose};
pub use needs::{any_lab, concerns, flows};
pub use report::{FirewallReport, judge};
