//! What stands in our chains, and beside them.

use nftnl::{Batch, MsgType};

use super::super::netlink::{self, Message};
use super::{
    ChainScope, Error, Socket, TABLE, bytes,
    chain::{self, FoundChain},
    comment, encode, mappings,
    message::{self, attr},
    others, table, text,
};
use crate::model::{
    GuardChain,
    nft::{Chain, Part, Rule, mappings_of},
    observed::{RulesState, TableState},
};

/// What one look shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Looked {
    /// The chains that translate.
    pub nat: RulesState,
    /// Of these in a node, those of a type of NAT that are there.
    pub nat_type_chains: Vec<&'static str>,
    /// The chains that filter.
    pub firewall: RulesState,
    /// In a node, what others have put into its tables.
    pub tables: Vec<TableState>,
}

/// Looks at the scope's chains, beside those that are wanted of each part, and in a node at what is not ours. A kernel
/// without nftables has none.
pub fn look(scope: ChainScope<'_>, nat: &[Chain], firewall: &[Chain]) -> Result<Looked, Error> {
    let opened = Socket::open().and_then(|socket| others::tables(&socket).map(|tables| (socket, tables)));
    let (socket, tables) = match opened {
        Err(error) if error.is_no_nf_tables() => return Ok(Looked::default()),
        opened => opened?,
    };
    let of_others = match scope {
        ChainScope::Node => others::of_others(&socket, &tables)?,
        ChainScope::Host(_) => Vec::new(),
    };
    let Some(table) = tables.iter().find(|table| table.is_ours()) else {
        return Ok(Looked { tables: of_others, ..Looked::default() });
    };
    let found = chain::all(&socket)?;
    let state = |part, wanted| state(&socket, scope, &found, part, wanted, table.is_dormant());
    let of_type = Part::Nat.chains().iter().copied().filter(|name| !Part::OF_ALL_NAT.contains(name));
    let there = |name: &&str| found.iter().any(|found| found.name == scope.name(name));
    Ok(Looked {
        nat: state(Part::Nat, nat)?,
        nat_type_chains: of_type.filter(there).collect(),
        firewall: state(Part::Firewall, firewall)?,
        tables: of_others,
    })
}

/// The same of one part alone.
pub fn look_at(scope: ChainScope<'_>, part: Part, wanted: &[Chain]) -> Result<RulesState, Error> {
    match part {
        Part::Nat => look(scope, wanted, &[]).map(|looked| looked.nat),
        Part::Firewall => look(scope, &[], wanted).map(|looked| looked.firewall),
    }
}

/// Looks at the scope's chains of a part in our table.
fn state(
    socket: &Socket,
    scope: ChainScope<'_>,
    found: &[FoundChain],
    part: Part,
    wanted: &[Chain],
    dormant: bool,
) -> Result<RulesState, Error> {
    let there: Vec<&FoundChain> = found
        .iter()
        .filter(|found| part.chains().iter().any(|name| found.name == scope.name(name)))
        .collect();
    if there.is_empty() {
        return Ok(RulesState::Absent);
    }
    let sound =
        |chain: &Chain| there.iter().any(|found| found.name == scope.name(chain.name) && found.is(chain));
    // What is amiss need not be read.
    if dormant || there.len() != wanted.len() || !wanted.iter().all(sound) {
        return Ok(RulesState::Other);
    }
    for chain in wanted {
        if rules(socket, &scope.name(chain.name))? != made(&chain.rules) {
            return Ok(RulesState::Other);
        }
    }
    let mapped = match mappings_of(wanted) {
        Some(wanted) => mappings::are(socket, wanted)?,
        None => true,
    };
    Ok(if mapped { RulesState::AsWanted } else { RulesState::Other })
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
    let mut suffixes = Part::Nat.chains().iter().copied().chain(guards);
    suffixes.find_map(|suffix| chain.strip_suffix(suffix)?.strip_suffix('-'))
}

/// A rule as it is compared: its comment, and its expressions as libnftnl prints them.
type Text = (Option<String>, String);

fn rule_text(message: Message<'_>) -> Text {
    let comment = message.attribute(attr::RULE_USERDATA).and_then(comment::from_userdata);
    (comment.map(str::to_owned), text::expressions(message))
}

/// The rules of a chain of our table.
pub(super) fn rules(socket: &Socket, chain: &str) -> Result<Vec<Text>, Error> {
    let filter = [(attr::RULE_TABLE, TABLE), (attr::RULE_CHAIN, chain)];
    socket.dump(libc::NFT_MSG_GETRULE, &filter, |message| Some(rule_text(message)))
}

/// The rules that we would make, as the kernel's are read.
pub(super) fn made<'a>(wanted: impl IntoIterator<Item = &'a Rule>) -> Vec<Text> {
    let table = table();
    let chain = chain::bare(&table, "");
    let mut batch = Batch::new();
    for rule in wanted {
        batch.add(&encode::rule(&chain, rule), MsgType::Add);
    }
    let sent = bytes(batch);
    let new_rule = message::nf_tables(libc::NFT_MSG_NEWRULE);
    netlink::split(&sent).filter(|message| message.kind() == new_rule).map(rule_text).collect()
}
