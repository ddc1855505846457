//! What stands in our chains, and beside them.

use nftnl::{Batch, MsgType};

use super::{
    ChainScope, Error, Socket, TABLE, bytes,
    chain::{self, KINDS},
    comment, expr,
    message::{self, attr},
    others, table, text,
};
use crate::model::{
    GuardChain, NatRule,
    observed::{NatState, ObservedRule, TableState},
};

/// Looks at the scope's chains. A kernel without nftables has none.
pub fn read(scope: ChainScope<'_>) -> Result<NatState, Error> {
    look(scope).map(|(state, _)| state)
}

/// The same, and in a node at what others have put into its tables.
pub fn look(scope: ChainScope<'_>) -> Result<(NatState, Vec<TableState>), Error> {
    let opened = Socket::open().and_then(|socket| others::tables(&socket).map(|tables| (socket, tables)));
    let (socket, tables) = match opened {
        Err(error) if error.is_no_nf_tables() => return Ok(Default::default()),
        opened => opened?,
    };
    let of_others = match scope {
        ChainScope::Node => others::of_others(&socket, &tables)?,
        ChainScope::Host(_) => Vec::new(),
    };
    let Some(table) = tables.iter().find(|table| table.is_ours()) else {
        return Ok((NatState::default(), of_others));
    };
    Ok((chains(&socket, scope, table.is_dormant())?, of_others))
}

/// Looks at the scope's chains in our table.
fn chains(socket: &Socket, scope: ChainScope<'_>, dormant: bool) -> Result<NatState, Error> {
    let found = chain::all(socket)?;
    let ours = scope.chains();
    let pair =
        || ours.iter().zip(KINDS).map(|(name, kind)| (found.iter().find(|found| found.name == *name), kind));
    let mut state = NatState::default();
    for (chain, _) in pair() {
        if let Some(chain) = chain {
            state.rules.extend(rules(socket, &chain.name)?);
        }
    }
    let sound = pair().all(|(chain, kind)| chain.is_some_and(|chain| chain.is(kind)));
    state.present = sound && !dormant;
    if let (false, Some(chain)) = (state.present, pair().find_map(|(chain, _)| chain)) {
        // So that a remnant is never taken for nothing at all.
        state
            .rules
            .push(ObservedRule::Foreign(format!("the chains are not as we make them: {}", chain.name)));
    }
    Ok(state)
}

/// The names that stand before `-prerouting`, `-postrouting` and the ends of guards' chains in the host's table, sorted,
/// each once: the labs that have chains there.
pub fn list_labs_on_host() -> Result<Vec<String>, Error> {
    let found = match Socket::open().and_then(|socket| chain::all(&socket)) {
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
pub(in crate::kernel) fn lab_of_chain(chain: &str) -> Option<&str> {
    let guards = GuardChain::ALL.map(GuardChain::suffix);
    let suffixes = KINDS.map(|kind| kind.suffix).into_iter().chain(guards);
    suffixes.into_iter().find_map(|suffix| chain.strip_suffix(suffix)?.strip_suffix('-'))
}

/// The rules of a chain. Each that has a comment of ours is compared with what we would make of it.
fn rules(socket: &Socket, chain: &str) -> Result<Vec<ObservedRule>, Error> {
    let filter = [(attr::RULE_TABLE, TABLE), (attr::RULE_CHAIN, chain)];
    let found = socket.dump(libc::NFT_MSG_GETRULE, &filter, |message| {
        let comment = message.attribute(attr::RULE_USERDATA).and_then(comment::from_userdata);
        Some((comment.and_then(comment::parse), text::expressions(message)))
    })?;
    let table = table();
    let chain = chain::bare(&table, chain);
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
