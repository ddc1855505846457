//! Network address translation by nftables, in the table `inet netlab` of the calling thread's network
//! namespace: a node's namespace, or the host's, where each lab has chains of its own in the shared table.
//!
//! Only chains with our names are touched; whatever else stands in the table, or anywhere else, stays.
//! Every change is one batch, which the kernel does whole or not at all. Every rule says in its comment
//! what it is for. Reading compares the rules found with those that we would make for their comments.
//!
//! The rules of others are read too ([`ruleset()`]), to tell which of them drop what labs send.

mod chain;
mod comment;
mod decode;
mod error;
mod expr;
mod guard;
pub(super) mod message;
mod observe;
mod others;
mod probe;
mod ruleset;
mod socket;
mod text;

use std::ffi::CString;

use nftnl::{Batch, MsgType, ProtoFamily, Table};

pub use error::Error;
pub use guard::{look_at_guard, replace_guard};
pub(super) use observe::lab_of_chain;
pub use observe::{list_labs_on_host, look, read};
pub use probe::probe_features;
pub use ruleset::{generation, ruleset};
pub use socket::event_socket;

use crate::model::{LabName, NatRule};
use chain::KINDS;
use message::attr;
use socket::Socket;

/// The name of our table, whose family is inet.
pub(super) const TABLE: &str = "netlab";
/// A message flag of deletes (linux/netlink.h): refuse to delete what still holds something.
const NONREC: i32 = 0x100;
/// Whose chains.
#[derive(Debug, Clone, Copy)]
pub enum ChainScope<'a> {
    /// A node's: `prerouting` and `postrouting` in the node's own table.
    Node,
    /// A lab's on the host: `LAB-prerouting` and `LAB-postrouting` in the host's table.
    Host(&'a LabName),
}

impl ChainScope<'_> {
    fn chains(self) -> [String; 2] {
        KINDS.map(|kind| match self {
            Self::Node => kind.suffix.to_owned(),
            Self::Host(lab) => format!("{lab}-{}", kind.suffix),
        })
    }
}

/// Makes the scope's chains hold exactly these rules, in this order within each chain. Done in one step: at
/// no time is a packet seen by half of the rules. Counters begin at zero. Without rules, as [`remove`].
pub fn replace(scope: ChainScope<'_>, rules: &[NatRule]) -> Result<(), Error> {
    if rules.is_empty() {
        return remove(scope);
    }
    let socket = Socket::open()?;
    let found = chain::all(&socket)?;
    let table = table();
    let mut batch = Batch::new();
    batch.add(&table, MsgType::Add);
    let chains = scope.chains();
    for (name, kind) in chains.iter().zip(KINDS) {
        let chain = chain::base(&table, name, kind);
        if found.iter().any(|found| found.name == *name) {
            batch.add(&nftnl::Rule::new(&chain), MsgType::Del);
        }
        if found.iter().any(|found| found.name == *name && !found.can_become(kind)) {
            batch.add(&chain::bare(&table, name), MsgType::Del);
        }
        batch.add(&chain, MsgType::Add);
    }
    let [prerouting, postrouting] = chains.map(|name| chain::bare(&table, &name));
    for rule in rules {
        let chain = match rule {
            NatRule::PortForward(_) => &prerouting,
            NatRule::LeaveBridged | NatRule::Masquerade(_) => &postrouting,
        };
        batch.add(&expr::rule(chain, rule), MsgType::Add);
    }
    socket.commit(&bytes(batch))
}

/// Deletes the scope's chains with all that is in them, and the table once it is empty. Nothing to delete is
/// no error.
pub fn remove(scope: ChainScope<'_>) -> Result<(), Error> {
    let (socket, found) =
        match Socket::open().and_then(|socket| chain::all(&socket).map(|found| (socket, found))) {
            Err(error) if error.is_no_nf_tables() => return Ok(()),
            opened => opened?,
        };
    let table = table();
    let mut batch = Batch::new();
    let ours = scope.chains();
    let present = || ours.iter().filter(|name| found.iter().any(|found| found.name == **name));
    if present().next().is_some() {
        for name in present() {
            let chain = chain::bare(&table, name);
            batch.add(&nftnl::Rule::new(&chain), MsgType::Del);
            batch.add(&chain, MsgType::Del);
        }
        socket.commit(&bytes(batch))?;
    }
    match socket.commit(&delete_empty_table()) {
        // Something else lives in the table, or it is gone already.
        Err(error) if matches!(error.errno(), Some(libc::EBUSY | libc::ENOENT)) => Ok(()),
        done => done,
    }
}

/// Makes the empty table.
fn add_table() -> Result<(), Error> {
    let mut batch = Batch::new();
    batch.add(&table(), MsgType::Add);
    Socket::open()?.commit(&bytes(batch))
}

fn table() -> Table {
    Table::new(CString::new(TABLE).expect("no NUL"), ProtoFamily::Inet)
}

/// A whole batch in one piece.
fn bytes(batch: Batch) -> Vec<u8> {
    batch.finalize().iter().flatten().copied().collect()
}

/// A batch that deletes our table only if nothing is in it.
fn delete_empty_table() -> Vec<u8> {
    let mark = |kind: i32, seq| {
        let subsystem = u16::try_from(libc::NFNL_SUBSYS_NFTABLES).expect("a subsystem is one byte");
        message::build(u16::try_from(kind).expect("a message type"), 0, seq, subsystem, &[])
    };
    let delete = message::nf_tables(libc::NFT_MSG_DELTABLE);
    let delete = message::build(delete, NONREC | libc::NLM_F_ACK, 1, 0, &[(attr::TABLE_NAME, TABLE)]);
    [mark(libc::NFNL_MSG_BATCH_BEGIN, 0), delete, mark(libc::NFNL_MSG_BATCH_END, 2)].concat()
}

/// Reads bytes as messages of `nf_tables`, rules with their comments and expressions: for fuzzers.
///
/// [`text`] is left out: libnftnl trusts the kernel, and ends the process where an attribute has not the
/// length that it knows (`abi_breakage` in its `src/utils.c`).
pub fn read_messages(bytes: &[u8]) {
    for message in message::split(bytes) {
        let comment = message.attribute(message::attr::RULE_USERDATA).and_then(comment::from_userdata);
        let _ = comment.and_then(comment::parse).map(|rule| rule.to_string());
        let _ = message.text(message::attr::CHAIN_NAME).and_then(lab_of_chain);
        let _ = message.number(message::attr::TABLE_FLAGS);
        let _ = message.attribute(message::attr::RULE_EXPRESSIONS).map(decode::expressions);
    }
}
