//! End to end tests of netlabd and netlabctl on real kernels.
//!
//! ```text
//! cli -> runner: for each ground (this kernel; User-mode Linux), for each test
//!          -> a private host: own network, mount and process namespaces
//!               -> one test of `cases`, which starts netlabd and speaks to it through netlabctl
//!        <- report: a table of test and ground; a test that ran nowhere fails the run
//! ```
//!
//! - [`runner`]: chooses, runs and reports tests; knows the grounds.
//! - [`feature`]: what a kernel can do, found out by trying.
//! - [`host`], [`daemon`], [`internet`], [`foreign`], [`users`], [`flood`], [`traffic`], [`capture`],
//!   [`cost`], [`scrape`], [`service`], [`remote`], [`sshd`], [`inventory`], [`by_hand`], [`wire`]: what a test works with.
//! - [`soak`]: random work, by [`rng`], on labs of a random [`design`], with [`damage`], into [`results`].
//! - [`cases`]: the tests.

// A test tells what is wrong by panicking; each panic says so itself.
#![allow(clippy::missing_panics_doc)]

pub mod by_hand;
pub mod capture;
pub mod cases;
pub mod cli;
pub mod command;
pub mod cost;
pub mod daemon;
pub mod damage;
pub mod design;
pub mod feature;
pub mod flood;
pub mod foreign;
pub mod host;
pub mod internet;
pub mod inventory;
pub mod outcome;
pub mod pinger;
pub mod remote;
pub mod results;
pub mod rng;
pub mod runner;
pub mod scrape;
pub mod service;
pub mod soak;
pub mod sshd;
pub mod stun;
pub mod traffic;
pub mod users;
pub mod wire;
