//! The whole ruleset of the calling thread's network namespace, to be read and never changed.

use std::collections::{BTreeMap, BTreeSet};

use super::super::netlink::{Message, attribute, attributes};
use super::{
    Error, Socket, TABLE, decode,
    message::{OfNftables as _, attr, number},
};
use crate::model::ruleset::{Base, Chain, Element, Expr, Rule, Ruleset, Set, TableId};

/// All families.
const ANY: u8 = 0;
/// Elements of one set that are looked at; of larger ones it is not known what is in them.
const ELEMENTS: usize = 4_096;
/// How often reading begins anew when the rules change meanwhile.
const TRIES: usize = 5;
/// `NFT_TABLE_F_DORMANT`: the table's chains are not in force.
const DORMANT: u32 = 1;
/// `NFT_SET_INTERVAL`, `NFT_SET_ELEM_INTERVAL_END`, `NFT_SET_ELEM_CATCHALL`.
const INTERVAL: u32 = 4;
const INTERVAL_END: u32 = 1;
const CATCHALL: u32 = 2;

/// The generation of the ruleset, which every change renews. A kernel without nftables has none.
pub fn generation() -> Result<Option<u32>, Error> {
    match Socket::open().and_then(|socket| socket.generation()) {
        Err(error) if error.is_no_nf_tables() => Ok(None),
        generation => generation.map(Some),
    }
}

/// Reads the ruleset, our own table left out.
pub fn ruleset() -> Result<Ruleset, Error> {
    let socket = match Socket::open() {
        Err(error) if error.is_no_nf_tables() => return Ok(Ruleset::default()),
        opened => opened?,
    };
    let mut ruleset = Ruleset::default();
    for _ in 0..TRIES {
        let before = match socket.generation() {
            Err(error) if error.is_no_nf_tables() => return Ok(Ruleset::default()),
            generation => generation?,
        };
        ruleset = read(&socket)?;
        if socket.generation()? == before {
            break;
        }
        // A set may have gone between two dumps; a ruleset that never rests is judged as it was seen.
    }
    Ok(ruleset)
}

fn read(socket: &Socket) -> Result<Ruleset, Error> {
    let dormant: BTreeSet<TableId> = socket
        .dump_of(ANY, libc::NFT_MSG_GETTABLE, &[], |message| {
            let dormant = message.number(attr::TABLE_FLAGS).is_some_and(|flags| flags & DORMANT != 0);
            table(message, attr::TABLE_NAME).filter(|_| dormant)
        })?
        .into_iter()
        .collect();
    let mut chains: BTreeMap<_, Chain> = socket
        .dump_of(ANY, libc::NFT_MSG_GETCHAIN, &[], |message| {
            let table = table(message, attr::CHAIN_TABLE)?;
            let base = base(message).filter(|_| !dormant.contains(&table));
            let name = message.text(attr::CHAIN_NAME)?.to_owned();
            Some(((table, name), Chain { base, rules: Vec::new() }))
        })?
        .into_iter()
        .collect();
    let rules = socket.dump_of(ANY, libc::NFT_MSG_GETRULE, &[], |message| {
        let table = table(message, attr::RULE_TABLE)?;
        let handle = u64::from_be_bytes(message.attribute(attr::RULE_HANDLE)?.try_into().ok()?);
        let exprs = decode::expressions(message.attribute(attr::RULE_EXPRESSIONS).unwrap_or_default());
        Some(((table, message.text(attr::RULE_CHAIN)?.to_owned()), Rule { handle, exprs }))
    })?;
    let mut looked_into = BTreeSet::new();
    for ((table, chain), rule) in rules {
        looked_into.extend(rule.exprs.iter().filter_map(|expr| {
            if let Expr::Lookup { set, .. } = expr { Some((table.clone(), set.clone())) } else { None }
        }));
        if let Some(chain) = chains.get_mut(&(table, chain)) {
            chain.rules.push(rule);
        }
    }
    let sets = sets(socket, looked_into)?;
    Ok(Ruleset { chains, sets })
}

/// The table that a message is about; `None` for our own.
fn table(message: Message<'_>, kind: u16) -> Option<TableId> {
    let name = message.text(kind)?;
    let ours = name == TABLE && i32::from(message.family()) == libc::NFPROTO_INET;
    (!ours).then(|| TableId { family: message.family(), name: name.to_owned() })
}

fn base(message: Message<'_>) -> Option<Base> {
    let hook = message.attribute(attr::CHAIN_HOOK)?;
    let field = |kind| number(attribute(hook, kind)?);
    Some(Base {
        kind: message.text(attr::CHAIN_TYPE)?.to_owned(),
        hook: field(attr::HOOK_NUMBER)?,
        priority: field(attr::HOOK_PRIORITY)?.cast_signed(),
        drops: message.number(attr::CHAIN_POLICY) == Some(libc::NF_DROP.unsigned_abs()),
        devices: decode::devices(hook),
    })
}

fn sets(
    socket: &Socket,
    names: BTreeSet<(TableId, String)>,
) -> Result<BTreeMap<(TableId, String), Set>, Error> {
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let flags: BTreeMap<_, u32> = socket
        .dump_of(ANY, libc::NFT_MSG_GETSET, &[], |message| {
            let name = message.text(attr::SET_NAME)?.to_owned();
            let flags = message.number(attr::SET_FLAGS).unwrap_or_default();
            Some(((table(message, attr::SET_TABLE)?, name), flags))
        })?
        .into_iter()
        .collect();
    let mut sets = BTreeMap::new();
    for at in names {
        let Some(flags) = flags.get(&at) else { continue };
        let elements = elements(socket, &at.0, &at.1, flags & INTERVAL != 0)?;
        sets.insert(at, Set { elements });
    }
    Ok(sets)
}

fn elements(
    socket: &Socket,
    table: &TableId,
    set: &str,
    intervals: bool,
) -> Result<Option<Vec<Element>>, Error> {
    let filter = [(attr::SET_TABLE, table.name.as_str()), (attr::SET_NAME, set)];
    let read = socket.dump_of(table.family, libc::NFT_MSG_GETSETELEM, &filter, |message| {
        let list = message.attribute(attr::ELEMENTS).unwrap_or_default();
        Some(attributes(list).map(|(_, element)| element_of(element)).collect::<Option<Vec<_>>>())
    });
    let found = match read {
        // It has just gone.
        Err(error) if error.errno() == Some(libc::ENOENT) => return Ok(None),
        found => found?,
    };
    let Some(mut found) = found.into_iter().collect::<Option<Vec<_>>>().map(|lists| lists.concat()) else {
        return Ok(None);
    };
    if found.len() > ELEMENTS {
        return Ok(None);
    }
    if intervals {
        close(&mut found);
    }
    found.retain(|(_, ends)| !ends);
    Ok(Some(found.into_iter().map(|(element, _)| element).collect()))
}

/// An element, and whether it only ends the interval before it. `None`: not understood.
fn element_of(bytes: &[u8]) -> Option<(Element, bool)> {
    let flags = attribute(bytes, attr::ELEMENT_FLAGS).and_then(number).unwrap_or_default();
    if flags & CATCHALL != 0 {
        return None;
    }
    let low = decode::value(attribute(bytes, attr::ELEMENT_KEY)?)?;
    let high = attribute(bytes, attr::ELEMENT_KEY_END).and_then(decode::value).unwrap_or_else(|| low.clone());
    let verdict = attribute(bytes, attr::ELEMENT_DATA).and_then(decode::verdict);
    Some((Element { low, high, verdict }, flags & INTERVAL_END != 0))
}

/// Of a set of intervals that is kept as a list of where each begins and ends: gives each its end.
fn close(found: &mut [(Element, bool)]) {
    if !found.iter().any(|(_, ends)| *ends) && found.iter().any(|(element, _)| element.low != element.high) {
        // Kept with both ends already (several fields in one key).
        return;
    }
    found.sort_by(|(a, _), (b, _)| a.low.cmp(&b.low));
    for at in 0..found.len() {
        if found[at].1 {
            continue;
        }
        let high = match found.get(at + 1) {
            Some((next, _)) => before(&next.low),
            None => vec![0xff; found[at].0.low.len()],
        };
        found[at].0.high = high;
    }
}

/// The key before this one.
fn before(key: &[u8]) -> Vec<u8> {
    let mut key = key.to_vec();
    for byte in key.iter_mut().rev() {
        *byte = byte.wrapping_sub(1);
        if *byte != 0xff {
            break;
        }
    }
    key
}
