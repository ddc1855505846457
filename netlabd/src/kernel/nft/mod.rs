//! What labs have of nftables, in the table `inet netlab` of the calling thread's network namespace: a node's, or the
//! host's, where each lab has chains of its own in the shared table.
//!
//! Only chains with our names are touched; whatever else stands in the table, or anywhere else, stays.
//! Every change is one batch, which the kernel does whole or not at all. Reading compares the rules found with
//! those that we would make.
//!
//! The rules of others are read too ([`ruleset()`]), to tell which of them drop what labs send.

mod chain;
mod comment;
mod decode;
mod encode;
mod error;
mod expr;
mod guard;
mod mappings;
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
pub use observe::{Looked, list_labs_on_host, look, look_at};
pub use probe::{Tried, probe_features, probe_filters};
pub use ruleset::{generation, ruleset};
pub use socket::event_socket;

use super::netlink;
use crate::model::{
    LabName,
    nft::{self, Part},
};
use message::{OfNftables as _, attr};
use socket::Socket;

/// The name of our table, whose family is inet.
pub(super) const TABLE: &str = "netlab";
/// A message flag of deletes (linux/netlink.h): refuse to delete what still holds something.
const NONREC: i32 = 0x100;
/// Whose chains.
#[derive(Debug, Clone, Copy)]
pub enum ChainScope<'a> {
    /// A node's: `prerouting` and so on in the node's own table.
    Node,
    /// A lab's on the host: `LAB-prerouting` and so on in the host's table.
    Host(&'a LabName),
}

impl ChainScope<'_> {
    fn name(self, chain: &str) -> String {
        match self {
            Self::Node => chain.to_owned(),
            Self::Host(lab) => format!("{lab}-{chain}"),
        }
    }
}

/// Makes the scope's chains of a part exactly these, with the rules in this order. Done in one step: at no time is a
/// packet seen by half of the rules. Counters begin at zero. Without chains, as [`remove`].
pub fn replace(scope: ChainScope<'_>, part: Part, wanted: &[nft::Chain]) -> Result<(), Error> {
    if wanted.is_empty() {
        return remove(scope, part);
    }
    let socket = Socket::open()?;
    let found = chain::all(&socket)?;
    let table = table();
    let mut batch = Batch::new();
    batch.add(&table, MsgType::Add);
    let ours =
        part.chains().iter().map(|name| (scope.name(name), wanted.iter().find(|chain| chain.name == *name)));
    for (name, wanted) in ours {
        let found = found.iter().find(|found| found.name == name);
        if found.is_some() {
            batch.add(&nftnl::Rule::new(&chain::bare(&table, &name)), MsgType::Del);
        }
        if found.is_some_and(|found| !wanted.is_some_and(|wanted| found.can_become(wanted))) {
            batch.add(&chain::bare(&table, &name), MsgType::Del);
        }
        if let Some(wanted) = wanted {
            batch.add(&chain::base(&table, &name, wanted), MsgType::Add);
        }
    }
    if let (Part::Nat, ChainScope::Node) = (part, scope) {
        mappings::replace(&socket, &table, nft::mappings_of(wanted), &mut batch)?;
    }
    for wanted in wanted {
        let chain = chain::bare(&table, &scope.name(wanted.name));
        for rule in &wanted.rules {
            batch.add(&encode::rule(&chain, rule), MsgType::Add);
        }
    }
    socket.commit(&bytes(batch))
}

/// Deletes the scope's chains of a part with all that is in them, and the table once it is empty. Nothing to delete is
/// no error.
pub fn remove(scope: ChainScope<'_>, part: Part) -> Result<(), Error> {
    let (socket, found) =
        match Socket::open().and_then(|socket| chain::all(&socket).map(|found| (socket, found))) {
            Err(error) if error.is_no_nf_tables() => return Ok(()),
            opened => opened?,
        };
    let table = table();
    let mut batch = Batch::new();
    let ours = part.chains().iter().map(|name| scope.name(name));
    let there: Vec<String> = ours.filter(|name| found.iter().any(|found| found.name == *name)).collect();
    for name in &there {
        let chain = chain::bare(&table, name);
        batch.add(&nftnl::Rule::new(&chain), MsgType::Del);
        batch.add(&chain, MsgType::Del);
    }
    if let (Part::Nat, ChainScope::Node, false) = (part, scope, there.is_empty()) {
        mappings::replace(&socket, &table, None, &mut batch)?;
    }
    if !there.is_empty() {
        socket.commit(&bytes(batch))?;
    }
    delete_empty_table(&socket)
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

/// Deletes our table if nothing is in it.
fn delete_empty_table(socket: &Socket) -> Result<(), Error> {
    let mark = |kind: i32, seq| {
        let subsystem = u16::try_from(libc::NFNL_SUBSYS_NFTABLES).expect("a subsystem is one byte");
        message::build(u16::try_from(kind).expect("a message type"), 0, seq, subsystem, &[])
    };
    let delete = message::nf_tables(libc::NFT_MSG_DELTABLE);
    let delete = message::build(delete, NONREC | libc::NLM_F_ACK, 1, 0, &[(attr::TABLE_NAME, TABLE)]);
    let batch = [mark(libc::NFNL_MSG_BATCH_BEGIN, 0), delete, mark(libc::NFNL_MSG_BATCH_END, 2)].concat();
    match socket.commit(&batch) {
        // Something else lives in the table, or it is gone already.
        Err(error) if matches!(error.errno(), Some(libc::EBUSY | libc::ENOENT)) => Ok(()),
        done => done,
    }
}

/// Reads bytes as messages of `nf_tables`, rules with their comments and expressions: for fuzzers.
///
/// [`text`] is left out: libnftnl trusts the kernel, and ends the process where an attribute has not the
/// length that it knows (`abi_breakage` in its `src/utils.c`).
pub fn read_messages(bytes: &[u8]) {
    for message in netlink::split(bytes) {
        let _ = message.attribute(message::attr::RULE_USERDATA).and_then(comment::from_userdata);
        let _ = message.text(message::attr::CHAIN_NAME).and_then(lab_of_chain);
        let _ = message.number(message::attr::TABLE_FLAGS);
        let _ = message.attribute(message::attr::RULE_EXPRESSIONS).map(decode::expressions);
    }
}
