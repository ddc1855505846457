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
//! - [`host`], [`daemon`], [`internet`], [`strangers`], [`users`], [`flood`], [`traffic`], [`capture`],
//!   [`toll`], [`scrape`], [`service`], [`remote`], [`sshd`], [`inventory`], [`by_hand`]: what a test works with.
//! - [`soak`]: random work, by [`chance`], on labs of a random [`design`], with [`damage`], into [`figures`].
//! - [`cases`]: the tests.

// A test tells what is wrong by panicking; each panic says so itself.
#![allow(clippy::missing_panics_doc)]

pub mod by_hand;
pub mod capture;
pub mod cases;
pub mod chance;
pub mod cli;
pub mod command;
pub mod daemon;
pub mod damage;
pub mod design;
pub mod feature;
pub mod figures;
pub mod flood;
pub mod host;
pub mod internet;
pub mod inventory;
pub mod outcome;
pub mod pinger;
pub mod remote;
pub mod runner;
pub mod scrape;
pub mod service;
pub mod soak;
pub mod sshd;
pub mod strangers;
pub mod toll;
pub mod traffic;
pub mod users;
