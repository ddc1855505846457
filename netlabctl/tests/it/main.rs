//! Runs the real program against a daemon made of the API's own generated server, so that what a
//! user sees, exit codes among it, is tested without privilege.

mod compat;
mod complete;
mod extcap;
mod fake;
mod fake_nodes;
mod labs;
mod nodes;
mod pki;
mod reach;
mod run;
mod wait;
