//! What is to be done: pure functions from what is wanted and what is to an ordered [`Plan`].
//!
//! [`Target`] spells out a lab place by place; [`diff`] compares it with an observation, over the
//! union of both, so that what is no longer wanted goes too. Nothing in here touches the kernel.

mod addresses;
mod before;
mod command;
mod diff;
mod extras;
mod facets;
mod finding;
mod guard;
mod hand;
mod impairment;
pub mod item;
mod links;
mod op;
mod place;
mod removal;
mod renames;
mod rules;
mod script;
mod settled;
mod since;
mod sysctls;
mod target;
#[cfg(test)]
pub(crate) mod tests;
mod wireguard;

pub use before::{Before, claim, settle};
pub use diff::{diff, diff_since};
pub use hand::from_nothing;
pub use op::{Op, Plan, Stage, Verb, command};
pub use script::{Group, by_hand};
pub use settled::{learning, waiting};
pub use since::Settled;
pub use target::{LinkTarget, PlaceTarget, Target};
pub use wireguard::WireguardTarget;
