//! Rules of others, expression by expression: as much as decides whether a packet passes.
//!
//! Numbers of attributes and keys are those of `linux/netfilter/nf_tables.h`; what is not understood is
//! kept by its name and never guessed at.

use super::super::netlink::{self, attribute, attributes};
use super::message::{attr, number};
use crate::model::ruleset::{Comparison, Expr, Field, Verdict};

/// The expressions of a rule, from the value of its `NFTA_RULE_EXPRESSIONS`.
pub(super) fn expressions(list: &[u8]) -> Vec<Expr> {
    attributes(list)
        .flat_map(|(_, element)| match xt_icmp(element) {
            Some(exprs) => exprs.to_vec(),
            None => vec![expression(element)],
        })
        .collect()
}

/// The names of the expressions of a rule.
pub(super) fn names(list: &[u8]) -> impl Iterator<Item = String> {
    attributes(list).filter_map(|(_, element)| attribute(element, NAME).map(text))
}

const NAME: u16 = 1;
const DATA: u16 = 2;

fn expression(bytes: &[u8]) -> Expr {
    let name = attribute(bytes, NAME).map(text).unwrap_or_default();
    let data = attribute(bytes, DATA).unwrap_or_default();
    let decoded = match name.as_str() {
        "meta" => load(data, meta),
        "ct" => load(data, ct),
        "payload" => payload(data),
        "immediate" => immediate(data),
        "bitwise" => bitwise(data),
        "cmp" => compare(data),
        "range" => range(data),
        "lookup" => lookup(data),
        "match" => xt_match(data),
        "target" => xt_target(data),
        "reject" => Some(Expr::Reject),
        "queue" => Some(Expr::Queue),
        "limit" | "quota" | "connlimit" => Some(Expr::Some(name.clone())),
        "counter" | "log" | "notrack" | "last" | "dynset" | "objref" | "flow_offload" | "masq" | "redir"
        | "nat" | "dup" => Some(Expr::Nothing),
        _ => None,
    };
    decoded.unwrap_or(Expr::Other(name))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.strip_suffix(&[0]).unwrap_or(bytes)).into_owned()
}

/// A register as a byte offset: the old numbers 1 to 4 have 16 bytes each, those from 8 on 4.
fn register(bytes: &[u8]) -> Option<usize> {
    match number(bytes)? as usize {
        old @ 1..=4 => Some((old - 1) * 16),
        new @ 8..=23 => Some((new - 8) * 4),
        _ => None,
    }
}

/// `meta` and `ct`: a key into register 1, or (attribute 3 or 4) something set from one.
fn load(data: &[u8], field: fn(u32) -> Option<Field>) -> Option<Expr> {
    const TO: u16 = 1;
    const KEY: u16 = 2;
    let key = number(attribute(data, KEY)?)?;
    match attribute(data, TO) {
        Some(to) => Some(Expr::Load { to: register(to)?, field: field(key)? }),
        None => Some(Expr::Nothing),
    }
}

fn meta(key: u32) -> Option<Field> {
    Some(match key {
        1 => Field::EtherType,
        4 => Field::InIndex,
        5 => Field::OutIndex,
        6 => Field::InName,
        7 => Field::OutName,
        15 => Field::Family,
        16 => Field::Protocol,
        _ => return None,
    })
}

fn ct(key: u32) -> Option<Field> {
    Some(match key {
        0 => Field::State,
        1 => Field::Direction,
        2 => Field::Status,
        _ => return None,
    })
}

fn payload(data: &[u8]) -> Option<Expr> {
    const NETWORK: u32 = 1;
    const TRANSPORT: u32 = 2;
    let Some(to) = attribute(data, 1) else { return Some(Expr::Nothing) };
    let field = |kind| number(attribute(data, kind)?);
    let (offset, length) = (field(3)? as usize, field(4)? as usize);
    let field = match field(2)? {
        NETWORK => Field::Network { offset, length },
        TRANSPORT => Field::Transport { offset, length },
        _ => return None,
    };
    Some(Expr::Load { to: register(to)?, field })
}

fn immediate(data: &[u8]) -> Option<Expr> {
    let value = attribute(data, 2)?;
    match attribute(value, attr::DATA_VALUE) {
        Some(bytes) => Some(Expr::Constant { to: register(attribute(data, 1)?)?, bytes: bytes.to_vec() }),
        None => verdict(value).map(Expr::Verdict),
    }
}

/// A verdict, from the value of a data attribute.
pub(super) fn verdict(data: &[u8]) -> Option<Verdict> {
    let verdict = attribute(data, attr::DATA_VERDICT)?;
    let code = number(attribute(verdict, attr::VERDICT_CODE)?)?.cast_signed();
    let chain = || attribute(verdict, attr::VERDICT_CHAIN).map(text);
    Some(match code {
        libc::NF_DROP => Verdict::Drop,
        libc::NF_ACCEPT => Verdict::Accept,
        libc::NFT_CONTINUE | libc::NFT_BREAK => Verdict::Continue,
        libc::NFT_RETURN => Verdict::Return,
        libc::NFT_JUMP => Verdict::Jump(chain()?),
        libc::NFT_GOTO => Verdict::Goto(chain()?),
        _ => return None,
    })
}

fn bitwise(data: &[u8]) -> Option<Expr> {
    const OPERATION: u16 = 6;
    // Shifts are not understood.
    if attribute(data, OPERATION).and_then(number).is_some_and(|operation| operation != 0) {
        return None;
    }
    Some(Expr::Mask {
        from: register(attribute(data, 1)?)?,
        to: register(attribute(data, 2)?)?,
        mask: value(attribute(data, 4)?)?,
        xor: value(attribute(data, 5)?)?,
    })
}

/// The bytes in a data attribute.
pub(super) fn value(data: &[u8]) -> Option<Vec<u8>> {
    attribute(data, attr::DATA_VALUE).map(<[u8]>::to_vec)
}

fn compare(data: &[u8]) -> Option<Expr> {
    let how = match number(attribute(data, 2)?)? {
        0 => Comparison::Equal,
        1 => Comparison::NotEqual,
        2 => Comparison::Less,
        3 => Comparison::AtMost,
        4 => Comparison::Greater,
        5 => Comparison::AtLeast,
        _ => return None,
    };
    Some(Expr::Compare { from: register(attribute(data, 1)?)?, how, with: value(attribute(data, 3)?)? })
}

fn range(data: &[u8]) -> Option<Expr> {
    Some(Expr::Range {
        from: register(attribute(data, 1)?)?,
        negated: number(attribute(data, 2)?)? != 0,
        low: value(attribute(data, 3)?)?,
        high: value(attribute(data, 4)?)?,
    })
}

fn lookup(data: &[u8]) -> Option<Expr> {
    let inverted = attribute(data, 5).and_then(number).is_some_and(|flags| flags & 1 != 0);
    // Register 0 is the verdict.
    let loads = attribute(data, 3).and_then(number).is_some_and(|register| register != 0);
    let set = text(attribute(data, 1)?);
    Some(Expr::Lookup { from: register(attribute(data, 2)?)?, set, negated: inverted, loads })
}

/// A match of `x_tables`, as iptables-nft uses where nftables has nothing of its own.
fn xt_match(data: &[u8]) -> Option<Expr> {
    let name = text(attribute(data, 1)?);
    match name.as_str() {
        "comment" => Some(Expr::Nothing),
        "conntrack" => xt_conntrack(number(attribute(data, 2)?)?, attribute(data, 3)?),
        "tcp" | "udp" | "udplite" | "sctp" | "dccp" | "icmp" | "icmp6" | "multiport" | "addrtype"
        | "limit" | "hashlimit" | "connlimit" | "length" | "ttl" | "hl" | "tos" | "dscp" | "pkttype"
        | "ah" | "esp" | "frag" | "rt" | "hbh" | "eui64" | "ipv6header" | "recent" | "rpfilter" | "time" => {
            Some(Expr::Some(name))
        }
        _ => None,
    }
}

/// `struct ipt_icmp` and `struct ip6t_icmp`, all codes of one type: the same as an expression of nftables.
fn xt_icmp(bytes: &[u8]) -> Option<[Expr; 2]> {
    /// A register that iptables-nft has no use for.
    const SPARE: usize = 60;
    let data =
        attribute(bytes, DATA).filter(|_| attribute(bytes, NAME).map(text).as_deref() == Some("match"))?;
    let name = text(attribute(data, 1)?);
    match (name.as_str(), attribute(data, 3)?) {
        ("icmp" | "icmp6", [kind, 0, 0xff, 0, ..]) if (name.as_str(), *kind) != ("icmp", 0xff) => Some([
            Expr::Load { to: SPARE, field: Field::Transport { offset: 0, length: 1 } },
            Expr::Compare { from: SPARE, how: Comparison::Equal, with: vec![*kind] },
        ]),
        _ => None,
    }
}

/// `struct xt_conntrack_mtinfo2` and `3` (`linux/netfilter/xt_conntrack.h`): understood where only the state
/// is asked for.
fn xt_conntrack(revision: u32, info: &[u8]) -> Option<Expr> {
    const MATCH_FLAGS: usize = 146;
    const STATE: u16 = 1;
    /// Invalid, established, related, new: the same bits as in `ct state`. Others are of NAT.
    const KNOWN: u16 = 1 | 2 | 4 | 8;
    if !(2..=3).contains(&revision) {
        return None;
    }
    let word = |at: usize| Some(u16::from_ne_bytes(info.get(at..at + 2)?.try_into().ok()?));
    let (matches, inverts, state) = (word(MATCH_FLAGS)?, word(MATCH_FLAGS + 2)?, word(MATCH_FLAGS + 4)?);
    (matches == STATE && state & !KNOWN == 0)
        .then(|| Expr::State { bits: state.into(), negated: inverts & STATE != 0 })
}

fn xt_target(data: &[u8]) -> Option<Expr> {
    match text(attribute(data, 1)?).as_str() {
        "REJECT" => Some(Expr::Reject),
        "DROP" => Some(Expr::Verdict(Verdict::Drop)),
        "NFQUEUE" | "SYNPROXY" | "TPROXY" => Some(Expr::Queue),
        _ => Some(Expr::Nothing),
    }
}

/// The name of an interface in a list of devices.
pub(super) fn devices(hook: &[u8]) -> Vec<String> {
    let one = netlink::attribute(hook, attr::HOOK_DEV).map(text);
    let many = netlink::attribute(hook, attr::HOOK_DEVS).unwrap_or_default();
    one.into_iter().chain(attributes(many).map(|(_, name)| text(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len() + 4).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn expr(name: &str, data: &[Vec<u8>]) -> Vec<u8> {
        let name = attribute(NAME, format!("{name}\0").as_bytes());
        attribute(1, &[name, attribute(DATA, &data.concat())].concat())
    }

    /// A match of `x_tables` as iptables-nft sends it.
    fn xt(name: &str, revision: u32, info: &[u8]) -> Vec<u8> {
        let name = attribute(1, format!("{name}\0").as_bytes());
        expr("match", &[name, attribute(2, &revision.to_be_bytes()), attribute(3, info)])
    }

    #[test]
    fn matches_of_iptables() {
        // -m conntrack --ctstate RELATED,ESTABLISHED
        let mut conntrack = vec![0; 164];
        conntrack[146..152].copy_from_slice(&[1_u16, 0, 6].map(u16::to_ne_bytes).concat());
        assert_eq!(expressions(&xt("conntrack", 3, &conntrack)), [Expr::State { bits: 6, negated: false }]);
        // ! --ctstate NEW
        conntrack[146..152].copy_from_slice(&[1_u16, 1, 8].map(u16::to_ne_bytes).concat());
        assert_eq!(expressions(&xt("conntrack", 3, &conntrack)), [Expr::State { bits: 8, negated: true }]);
        // More than the state, and cut short: not understood.
        conntrack[146] = 3;
        for unclear in [&conntrack[..], &conntrack[..148]] {
            assert_eq!(expressions(&xt("conntrack", 3, unclear)), [Expr::Other("match".into())]);
        }
        // -p icmp --icmp-type echo-request; any type
        let [load, compare] = &expressions(&xt("icmp", 0, &[8, 0, 0xff, 0]))[..] else { panic!("two") };
        assert!(matches!(load, Expr::Load { field: Field::Transport { offset: 0, length: 1 }, .. }));
        assert!(matches!(compare, Expr::Compare { how: Comparison::Equal, with, .. } if *with == [8]));
        assert_eq!(expressions(&xt("icmp", 0, &[0xff, 0, 0xff, 0])), [Expr::Some("icmp".into())]);
        assert_eq!(expressions(&xt("set", 4, &[0; 8])), [Expr::Other("match".into())]);
        assert_eq!(expressions(&xt("comment", 0, &[0; 8])), [Expr::Nothing]);
    }

    #[test]
    fn damaged_bytes_are_not_understood() {
        let rule = expr("payload", &[attribute(1, &1_u32.to_be_bytes()), attribute(2, &1_u32.to_be_bytes())]);
        assert_eq!(expressions(&rule), [Expr::Other("payload".into())]);
        for end in 0..rule.len() {
            let _ = expressions(&rule[..end]);
        }
        let far = expr("cmp", &[attribute(1, &99_u32.to_be_bytes()), attribute(2, &0_u32.to_be_bytes())]);
        assert_eq!(expressions(&far), [Expr::Other("cmp".into())]);
    }
}
