//! The guard of a lab's interfaces on the host: chains of the lab's own in the host's table.

use std::ffi::CString;

use nftnl::{
    Batch, Chain, ChainType, Hook, MsgType, Policy, Rule, Table,
    expr::{Cmp, CmpOp, Meta, Payload, TransportHeaderField, Verdict},
};

use super::{
    Error, Socket, TABLE, bytes,
    chain::{self, FoundChain},
    delete_empty_table,
    expr::{self, KIND_BRIDGE, NFT_META_IIFKIND, NFT_META_OIFKIND, OtherMeta},
    message::{self, attr},
    others, table, text,
};
use crate::model::{Guard, GuardChain, GuardRule, LINK_GROUP, LabName, Match, Then, observed::GuardState};

/// The priority `filter` of nft(8).
const PRIORITY: i32 = 0;
/// ICMP's number (IANA), and its type of redirects (RFC 792).
const ICMP: u8 = 1;
const REDIRECT: u8 = 5;

/// The hook of a base chain.
fn hook(chain: GuardChain) -> Option<Hook> {
    match chain {
        GuardChain::From => None,
        GuardChain::Forward => Some(Hook::Forward),
        GuardChain::Input => Some(Hook::In),
    }
}

/// Makes a lab's chains hold exactly the rules of its guard; without one they go, and the table once it is empty.
/// Done in one step: at no time is a packet seen by half of the rules.
pub fn replace_guard(lab: &LabName, guard: Option<&Guard>) -> Result<(), Error> {
    let opened = Socket::open().and_then(|socket| chain::all(&socket).map(|found| (socket, found)));
    let (socket, found) = match opened {
        Err(error) if error.is_no_nf_tables() && guard.is_none() => return Ok(()),
        opened => opened?,
    };
    let table = table();
    let mut batch = Batch::new();
    if guard.is_some() {
        batch.add(&table, MsgType::Add);
    }
    let present = |chain: &GuardChain| found.iter().any(|found| found.name == chain.name(lab));
    let there: Vec<_> = GuardChain::ALL.into_iter().filter(present).collect();
    // Rules first, which refer to chains; then the chains, the last first.
    for kind in &there {
        batch.add(&Rule::new(&bare(&table, lab, *kind)), MsgType::Del);
    }
    for kind in there.iter().rev() {
        batch.add(&bare(&table, lab, *kind), MsgType::Del);
    }
    if let Some(guard) = guard {
        add(&table, lab, guard, &mut batch);
    }
    if guard.is_some() || !there.is_empty() {
        socket.commit(&bytes(batch))?;
    }
    if guard.is_some() {
        return Ok(());
    }
    match socket.commit(&delete_empty_table()) {
        // Something else lives in the table, or it is gone already.
        Err(error) if matches!(error.errno(), Some(libc::EBUSY | libc::ENOENT)) => Ok(()),
        done => done,
    }
}

fn add(table: &Table, lab: &LabName, guard: &Guard, batch: &mut Batch) {
    for kind in GuardChain::ALL {
        let mut chain = bare(table, lab, kind);
        if let Some(hook) = hook(kind) {
            chain.set_hook(hook, PRIORITY);
            chain.set_type(ChainType::Filter);
            chain.set_policy(Policy::Accept);
        }
        batch.add(&chain, MsgType::Add);
    }
    for wanted in guard.rules() {
        batch.add(&rule(&bare(table, lab, wanted.chain), lab, &wanted), MsgType::Add);
    }
}

/// Looks whether a lab's chains are those of its guard.
pub fn look_at_guard(lab: &LabName, wanted: Option<&Guard>) -> Result<GuardState, Error> {
    let opened = Socket::open().and_then(|socket| others::tables(&socket).map(|tables| (socket, tables)));
    let (socket, tables) = match opened {
        Err(error) if error.is_no_nf_tables() => return Ok(GuardState::Unsupported),
        opened => opened?,
    };
    let Some(table) = tables.iter().find(|table| table.is_ours()) else { return Ok(GuardState::Absent) };
    let found = chain::all(&socket)?;
    let of_kind = |kind: GuardChain| found.iter().find(|found| found.name == kind.name(lab));
    if GuardChain::ALL.into_iter().all(|kind| of_kind(kind).is_none()) {
        return Ok(GuardState::Absent);
    }
    let Some(wanted) = wanted else { return Ok(GuardState::Other) };
    let sound = |kind: GuardChain| of_kind(kind).is_some_and(|found| is_as_made(found, kind));
    if table.is_dormant() || !GuardChain::ALL.into_iter().all(sound) {
        return Ok(GuardState::Other);
    }
    for kind in GuardChain::ALL {
        if rules(&socket, &kind.name(lab))? != texts(lab, wanted, kind) {
            return Ok(GuardState::Other);
        }
    }
    Ok(GuardState::AsWanted)
}

fn is_as_made(found: &FoundChain, kind: GuardChain) -> bool {
    match hook(kind) {
        Some(hook) => found.is_filter(hook, PRIORITY),
        None => found.is_regular(),
    }
}

fn rules(socket: &Socket, chain: &str) -> Result<Vec<String>, Error> {
    let filter = [(attr::RULE_TABLE, TABLE), (attr::RULE_CHAIN, chain)];
    socket.dump(libc::NFT_MSG_GETRULE, &filter, |message| Some(text::expressions(message)))
}

/// The rules that we would make, as the kernel's are read.
fn texts(lab: &LabName, guard: &Guard, kind: GuardChain) -> Vec<String> {
    let table = table();
    let chain = bare(&table, lab, kind);
    let mut batch = Batch::new();
    for wanted in guard.rules().iter().filter(|rule| rule.chain == kind) {
        batch.add(&rule(&chain, lab, wanted), MsgType::Add);
    }
    let sent = bytes(batch);
    let new_rule = message::nf_tables(libc::NFT_MSG_NEWRULE);
    message::split(&sent).filter(|message| message.kind() == new_rule).map(text::expressions).collect()
}

fn bare<'a>(table: &'a Table, lab: &LabName, kind: GuardChain) -> Chain<'a> {
    chain::bare(table, &kind.name(lab))
}

fn rule<'a>(chain: &'a Chain<'a>, lab: &LabName, wanted: &GuardRule) -> Rule<'a> {
    let mut rule = Rule::new(chain);
    for condition in &wanted.when {
        add_match(&mut rule, condition);
    }
    match wanted.then {
        Then::Drop => rule.add_expr(&Verdict::Drop),
        Then::Return => rule.add_expr(&Verdict::Return),
        Then::From => {
            let chain = CString::new(GuardChain::From.name(lab)).expect("names of labs hold no NUL");
            rule.add_expr(&Verdict::Jump { chain });
        }
    }
    rule
}

fn add_match(rule: &mut Rule<'_>, condition: &Match) {
    let is = |yes: bool| if yes { CmpOp::Eq } else { CmpOp::Neq };
    match condition {
        Match::In(name) => {
            rule.add_expr(&Meta::IifName);
            rule.add_expr(&Cmp::new(CmpOp::Eq, &expr::padded(name)[..]));
        }
        Match::Out(name) => {
            rule.add_expr(&Meta::OifName);
            rule.add_expr(&Cmp::new(CmpOp::Eq, &expr::padded(name)[..]));
        }
        Match::NotOut(name) => {
            rule.add_expr(&Meta::OifName);
            rule.add_expr(&Cmp::new(CmpOp::Neq, &expr::padded(name)[..]));
        }
        Match::FromLab(yes) => {
            rule.add_expr(&OtherMeta(libc::NFT_META_IIFGROUP));
            rule.add_expr(&Cmp::new(is(*yes), LINK_GROUP));
        }
        Match::ToLab(yes) => {
            rule.add_expr(&OtherMeta(libc::NFT_META_OIFGROUP));
            rule.add_expr(&Cmp::new(is(*yes), LINK_GROUP));
        }
        Match::FromBridge => {
            rule.add_expr(&OtherMeta(NFT_META_IIFKIND));
            rule.add_expr(&Cmp::new(CmpOp::Eq, &KIND_BRIDGE[..]));
        }
        Match::ToBridge => {
            rule.add_expr(&OtherMeta(NFT_META_OIFKIND));
            rule.add_expr(&Cmp::new(CmpOp::Eq, &KIND_BRIDGE[..]));
        }
        Match::Ipv4 => expr::match_family(rule, libc::NFPROTO_IPV4),
        Match::Ipv6 => expr::match_family(rule, libc::NFPROTO_IPV6),
        Match::Redirect => {
            expr::match_family(rule, libc::NFPROTO_IPV4);
            rule.add_expr(&Meta::L4Proto);
            rule.add_expr(&Cmp::new(CmpOp::Eq, ICMP));
            // Despite their names, both fields are in bytes.
            let field = TransportHeaderField::Raw { offset_bits: 0, length_bits: 1 };
            rule.add_expr(&Payload::Transport(field));
            rule.add_expr(&Cmp::new(CmpOp::Eq, REDIRECT));
        }
    }
}
