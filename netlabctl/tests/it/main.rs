//! Runs the real program, so that what a user sees, exit codes among it, is tested without privilege: against netlabd's
//! own services over its kernel in memory, and against a script for what these never answer.

mod compat;
mod complete;
mod daemon;
mod extcap;
mod get_lab;
mod labs;
mod nodes;
mod pki;
mod reach;
mod run;
mod script;
mod script_nodes;
mod wait;
