//! Network address translation by `nf_tables`, in the table `inet netlab` of the calling thread's network
//! namespace: a node's namespace, or the host's, where each lab has chains of its own in the shared table.
//!
//! Only chains with our names are touched; whatever else stands in the table, or anywhere else, stays.
//! Every change is one batch, which the kernel does whole or not at all. Every rule says in its comment
//! what it is for. Reading compares the rules found with those that we would make for their comments.

mod comment;
mod error;
mod expr;
pub(super) mod message;
mod probe;
mod socket;
mod text;

use std::ffi::CString;

use nftnl::{Batch, Chain, ChainType, Hook, MsgType, Policy, ProtoFamily, Table};

pub use error::Error;
pub use probe::probe_features;
pub use socket::event_socket;

use crate::model::{
    LabName, NatRule,
    observed::{NatState, ObservedRule},
};
use message::{Message, attr};
use socket::Socket;

/// The name of our table, whose family is inet.
pub(super) const TABLE: &str = "netlab";
/// `NFT_TABLE_F_DORMANT`: the table's chains are not in force.
const DORMANT: u32 = 1;
/// A message flag of deletes (linux/netlink.h): refuse to delete what still holds something.
const NONREC: i32 = 0x100;
/// The two kinds of chains, in the order of [`Scope::chains`].
const KINDS: [Kind; 2] = [
    Kind { suffix: "prerouting", hook: Hook::PreRouting, priority: -100 },
    Kind { suffix: "postrouting", hook: Hook::PostRouting, priority: 100 },
];

/// Whose chains.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// A node's: `prerouting` and `postrouting` in the node's own table.
    Node,
    /// A lab's on the host: `LAB-prerouting` and `LAB-postrouting` in the host's table.
    Host(&'a LabName),
}

impl Scope<'_> {
    fn chains(self) -> [String; 2] {
        KINDS.map(|kind| match self {
            Self::Node => kind.suffix.to_owned(),
            Self::Host(lab) => format!("{lab}-{}", kind.suffix),
        })
    }
}

/// What a base chain of ours is: nat, with the standard priorities `dstnat` and `srcnat` of nft(8).
#[derive(Debug, Clone, Copy)]
struct Kind {
    suffix: &'static str,
    hook: Hook,
    priority: i32,
}

/// A chain of our table as the kernel shows it.
#[derive(Debug)]
struct FoundChain {
    name: String,
    /// A base chain's type, hook, priority and policy.
    base: Option<(String, u32, i32, u32)>,
}

impl FoundChain {
    fn read(message: Message<'_>) -> Option<Self> {
        if message.text(attr::CHAIN_TABLE) != Some(TABLE) {
            return None;
        }
        let base = || {
            let hook = message.attribute(attr::CHAIN_HOOK)?;
            let field = |kind| message::number(message::attribute(hook, kind)?);
            let number = field(attr::HOOK_NUMBER)?;
            let priority = field(attr::HOOK_PRIORITY)?.cast_signed();
            let kind = message.text(attr::CHAIN_TYPE)?.to_owned();
            Some((kind, number, priority, message.number(attr::CHAIN_POLICY)?))
        };
        Some(Self { name: message.text(attr::CHAIN_NAME)?.to_owned(), base: base() })
    }

    /// Whether the kernel can make it the chain that we want without deleting it: the policy can be
    /// changed, all else cannot.
    fn can_become(&self, kind: Kind) -> bool {
        let fits = |hook: u32, priority| hook == kind.hook as u32 && priority == kind.priority;
        self.base.as_ref().is_some_and(|(name, hook, priority, _)| name == "nat" && fits(*hook, *priority))
    }

    fn is(&self, kind: Kind) -> bool {
        let accepts = self.base.as_ref().is_some_and(|(.., policy)| *policy == Policy::Accept as u32);
        accepts && self.can_become(kind)
    }
}

/// Makes the scope's chains hold exactly these rules, in this order within each chain. Done in one step: at
/// no time is a packet seen by half of the rules. Counters begin at zero. Without rules, as [`remove`].
pub fn replace(scope: Scope<'_>, rules: &[NatRule]) -> Result<(), Error> {
    if rules.is_empty() {
        return remove(scope);
    }
    let socket = Socket::open()?;
    let found = chains(&socket)?;
    let table = table();
    let mut batch = Batch::new();
    batch.add(&table, MsgType::Add);
    let chains = scope.chains();
    for (name, kind) in chains.iter().zip(KINDS) {
        let chain = base_chain(&table, name, kind);
        if found.iter().any(|found| found.name == *name) {
            batch.add(&nftnl::Rule::new(&chain), MsgType::Del);
        }
        if found.iter().any(|found| found.name == *name && !found.can_become(kind)) {
            batch.add(&bare_chain(&table, name), MsgType::Del);
        }
        batch.add(&chain, MsgType::Add);
    }
    let [prerouting, postrouting] = chains.map(|name| bare_chain(&table, &name));
    for rule in rules {
        let chain = match rule {
            NatRule::PortForward(_) => &prerouting,
            NatRule::Masquerade(_) => &postrouting,
        };
        batch.add(&expr::rule(chain, rule), MsgType::Add);
    }
    socket.commit(&bytes(batch))
}

/// Deletes the scope's chains with all that is in them, and the table once it is empty. Nothing to delete is
/// no error.
pub fn remove(scope: Scope<'_>) -> Result<(), Error> {
    let (socket, found) = match Socket::open().and_then(|socket| chains(&socket).map(|found| (socket, found)))
    {
        Err(error) if error.is_no_nf_tables() => return Ok(()),
        opened => opened?,
    };
    let table = table();
    let mut batch = Batch::new();
    let ours = scope.chains();
    let present = || ours.iter().filter(|name| found.iter().any(|found| found.name == **name));
    if present().next().is_some() {
        for name in present() {
            let chain = bare_chain(&table, name);
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

/// Looks at the scope's chains. A kernel without `nf_tables` has none.
pub fn read(scope: Scope<'_>) -> Result<NatState, Error> {
    let (socket, found) = match Socket::open().and_then(|socket| chains(&socket).map(|found| (socket, found)))
    {
        Err(error) if error.is_no_nf_tables() => return Ok(NatState::default()),
        opened => opened?,
    };
    let ours = scope.chains();
    let pair =
        || ours.iter().zip(KINDS).map(|(name, kind)| (found.iter().find(|found| found.name == *name), kind));
    let mut state = NatState::default();
    for (chain, _) in pair() {
        if let Some(chain) = chain {
            state.rules.extend(rules(&socket, &chain.name)?);
        }
    }
    let sound = pair().all(|(chain, kind)| chain.is_some_and(|chain| chain.is(kind)));
    state.present = sound && !is_dormant(&socket)?;
    if let (false, Some(chain)) = (state.present, pair().find_map(|(chain, _)| chain)) {
        // So that a remnant is never taken for nothing at all.
        state
            .rules
            .push(ObservedRule::Foreign(format!("the chains are not as we make them: {}", chain.name)));
    }
    Ok(state)
}

/// The names that stand before `-prerouting` and `-postrouting` in the host's table, sorted, each once: the
/// labs that have chains there.
pub fn list_labs_on_host() -> Result<Vec<String>, Error> {
    let found = match Socket::open().and_then(|socket| chains(&socket)) {
        Err(error) if error.is_no_nf_tables() => Vec::new(),
        found => found?,
    };
    let mut labs: Vec<String> =
        found.iter().filter_map(|chain| lab_of_chain(&chain.name).map(str::to_owned)).collect();
    labs.sort();
    labs.dedup();
    Ok(labs)
}

/// The lab that a chain of the host's table is of, by its name.
pub(super) fn lab_of_chain(chain: &str) -> Option<&str> {
    KINDS.into_iter().find_map(|kind| chain.strip_suffix(kind.suffix)?.strip_suffix('-'))
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

/// A chain by its name alone, to hold rules or to be deleted.
fn bare_chain<'a>(table: &'a Table, name: &str) -> Chain<'a> {
    Chain::new(CString::new(name).expect("names of labs hold no NUL"), table)
}

fn base_chain<'a>(table: &'a Table, name: &str, kind: Kind) -> Chain<'a> {
    let mut chain = bare_chain(table, name);
    chain.set_hook(kind.hook, kind.priority);
    chain.set_type(ChainType::Nat);
    chain.set_policy(Policy::Accept);
    chain
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

fn chains(socket: &Socket) -> Result<Vec<FoundChain>, Error> {
    socket.dump(libc::NFT_MSG_GETCHAIN, &[], FoundChain::read)
}

fn is_dormant(socket: &Socket) -> Result<bool, Error> {
    let flags = |message: Message<'_>| {
        let ours = message.text(attr::TABLE_NAME) == Some(TABLE);
        ours.then(|| message.number(attr::TABLE_FLAGS)).flatten()
    };
    let found = socket.dump(libc::NFT_MSG_GETTABLE, &[], flags)?;
    Ok(found.iter().any(|flags| flags & DORMANT != 0))
}

/// The rules of a chain. Each that has a comment of ours is compared with what we would make of it.
fn rules(socket: &Socket, chain: &str) -> Result<Vec<ObservedRule>, Error> {
    let filter = [(attr::RULE_TABLE, TABLE), (attr::RULE_CHAIN, chain)];
    let found = socket.dump(libc::NFT_MSG_GETRULE, &filter, |message| {
        let comment = message.attribute(attr::RULE_USERDATA).and_then(comment::from_userdata);
        Some((comment.and_then(comment::parse), text::expressions(message)))
    })?;
    let table = table();
    let chain = bare_chain(&table, chain);
    let mut batch = Batch::new();
    for rule in found.iter().filter_map(|(rule, _)| rule.as_ref()) {
        batch.add(&expr::rule(&chain, rule), MsgType::Add);
    }
    let sent = bytes(batch);
    let new_rule = message::nf_tables(libc::NFT_MSG_NEWRULE);
    let mut made = message::split(&sent).filter(|message| message.kind() == new_rule).map(text::expressions);
    let observe = |(rule, text): (Option<NatRule>, String)| match rule {
        Some(rule) if made.next().as_ref() == Some(&text) => ObservedRule::Ours(rule),
        _ => ObservedRule::Foreign(text),
    };
    Ok(found.into_iter().map(observe).collect())
}
