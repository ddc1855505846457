//! The guard of a lab's interfaces on the host: chains of the lab's own in the host's table.

use nftnl::{Batch, Chain, MsgType, Rule, Table};

use super::{
    Error, Socket, bytes,
    chain::{self, FoundChain},
    delete_empty_table, encode,
    observe::{made, rules},
    others, table,
};
use crate::model::{
    Guard, GuardChain, LabName,
    nft::{self, Kind, Policy},
    observed::RulesState,
};

/// What a chain of a guard is, if it is a base chain.
fn base(chain: GuardChain) -> Option<nft::Chain> {
    let base = |hook| nft::Chain {
        name: chain.suffix(),
        kind: Kind::Filter,
        hook,
        priority: 0,
        policy: Policy::Accept,
        rules: Vec::new(),
    };
    chain.hook().map(base)
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
    delete_empty_table(&socket)
}

fn add(table: &Table, lab: &LabName, guard: &Guard, batch: &mut Batch) {
    for kind in GuardChain::ALL {
        match base(kind) {
            Some(base) => batch.add(&chain::base(table, &kind.name(lab), &base), MsgType::Add),
            None => batch.add(&bare(table, lab, kind), MsgType::Add),
        }
    }
    for wanted in guard.rules(lab) {
        batch.add(&encode::rule(&bare(table, lab, wanted.chain), &wanted.rule), MsgType::Add);
    }
}

/// Looks whether a lab's chains are those of its guard.
pub fn look_at_guard(lab: &LabName, wanted: Option<&Guard>) -> Result<RulesState, Error> {
    let opened = Socket::open().and_then(|socket| others::tables(&socket).map(|tables| (socket, tables)));
    let (socket, tables) = match opened {
        Err(error) if error.is_no_nf_tables() => return Ok(RulesState::Unsupported),
        opened => opened?,
    };
    let Some(table) = tables.iter().find(|table| table.is_ours()) else { return Ok(RulesState::Absent) };
    let found = chain::all(&socket)?;
    let of_kind = |kind: GuardChain| found.iter().find(|found| found.name == kind.name(lab));
    if GuardChain::ALL.into_iter().all(|kind| of_kind(kind).is_none()) {
        return Ok(RulesState::Absent);
    }
    let Some(wanted) = wanted else { return Ok(RulesState::Other) };
    let sound = |kind: GuardChain| of_kind(kind).is_some_and(|found| is_as_made(found, kind));
    if table.is_dormant() || !GuardChain::ALL.into_iter().all(sound) {
        return Ok(RulesState::Other);
    }
    let wanted = wanted.rules(lab);
    for kind in GuardChain::ALL {
        let of_kind = wanted.iter().filter(|rule| rule.chain == kind).map(|rule| &rule.rule);
        if rules(&socket, &kind.name(lab))? != made(of_kind) {
            return Ok(RulesState::Other);
        }
    }
    Ok(RulesState::AsWanted)
}

fn is_as_made(found: &FoundChain, kind: GuardChain) -> bool {
    match base(kind) {
        Some(base) => found.is(&base),
        None => found.is_regular(),
    }
}

fn bare<'a>(table: &'a Table, lab: &LabName, kind: GuardChain) -> Chain<'a> {
    chain::bare(table, &kind.name(lab))
}
