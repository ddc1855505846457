//! What others put into a node's rules: counted, never changed.

use std::collections::BTreeMap;

use super::super::netlink::Message;
use super::{
    Error, Socket, TABLE,
    message::{OfNftables as _, attr},
};
use crate::model::{nft::Part, observed::TableState, ruleset::TableId};

/// All families.
const ANY: u8 = 0;
/// `NFT_TABLE_F_DORMANT`: the table's chains are not in force.
const DORMANT: u32 = 1;

/// A table of the calling thread's network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoundTable {
    id: TableId,
    dormant: bool,
}

impl FoundTable {
    fn read(message: Message<'_>) -> Option<Self> {
        let dormant = message.number(attr::TABLE_FLAGS).is_some_and(|flags| flags & DORMANT != 0);
        Some(Self { id: id(message, attr::TABLE_NAME)?, dormant })
    }

    /// Whether it is ours.
    pub(super) fn is_ours(&self) -> bool {
        is_ours(&self.id)
    }

    /// Whether its chains are not in force.
    pub(super) fn is_dormant(&self) -> bool {
        self.dormant
    }
}

/// All tables.
pub(super) fn tables(socket: &Socket) -> Result<Vec<FoundTable>, Error> {
    socket.dump_of(ANY, libc::NFT_MSG_GETTABLE, &[], FoundTable::read)
}

/// What of these tables is not ours: whole tables, and chains of others in ours. Where there are only tables of
/// ours with our chains, that takes one dump of chains; where there is no table, none.
pub(super) fn of_others(socket: &Socket, tables: &[FoundTable]) -> Result<Vec<TableState>, Error> {
    let mut counts: BTreeMap<TableId, (usize, usize)> =
        tables.iter().filter(|table| !table.is_ours()).map(|table| (table.id.clone(), (0, 0))).collect();
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let chains = socket.dump_of(ANY, libc::NFT_MSG_GETCHAIN, &[], |message| {
        of_others_chain(message, attr::CHAIN_TABLE, attr::CHAIN_NAME)
    })?;
    if chains.is_empty() && counts.is_empty() {
        return Ok(Vec::new());
    }
    for table in chains {
        counts.entry(table).or_default().0 += 1;
    }
    let rules = socket.dump_of(ANY, libc::NFT_MSG_GETRULE, &[], |message| {
        of_others_chain(message, attr::RULE_TABLE, attr::RULE_CHAIN)
    })?;
    for table in rules {
        if let Some(count) = counts.get_mut(&table) {
            count.1 += 1;
        }
    }
    let state = |(id, (chains, rules)): (TableId, (usize, usize))| TableState {
        family: family(id.family),
        name: id.name,
        chains,
        rules,
    };
    Ok(counts.into_iter().map(state).collect())
}

/// The table of a message about a chain of others or a rule in one.
fn of_others_chain(message: Message<'_>, table: u16, chain: u16) -> Option<TableId> {
    let id = id(message, table)?;
    let name = message.text(chain)?;
    let ours = is_ours(&id) && Part::ALL.iter().any(|part| part.chains().contains(&name));
    (!ours).then_some(id)
}

fn id(message: Message<'_>, table: u16) -> Option<TableId> {
    Some(TableId { family: message.family(), name: message.text(table)?.to_owned() })
}

fn is_ours(id: &TableId) -> bool {
    id.name == TABLE && i32::from(id.family) == libc::NFPROTO_INET
}

/// A family in the words of nft(8).
fn family(number: u8) -> String {
    match i32::from(number) {
        libc::NFPROTO_IPV4 => "ip".into(),
        libc::NFPROTO_IPV6 => "ip6".into(),
        libc::NFPROTO_INET => "inet".into(),
        libc::NFPROTO_ARP => "arp".into(),
        libc::NFPROTO_BRIDGE => "bridge".into(),
        libc::NFPROTO_NETDEV => "netdev".into(),
        other => other.to_string(),
    }
}
