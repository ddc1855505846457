//! A rule in the words of nft(8), as far as it is understood.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::model::ruleset::{Comparison, Element, Expr, Field, Rule, Set, Verdict};

/// The states of `ct state`, by bit.
const STATES: [(u32, &str); 5] =
    [(1, "invalid"), (2, "established"), (4, "related"), (8, "new"), (64, "untracked")];

/// Longest text of a list of elements.
const LIST: usize = 6;

/// A rule in words; `sets` finds the sets that it looks into.
pub(super) fn rule<'a>(rule: &Rule, sets: impl Fn(&str) -> Option<&'a Set>) -> String {
    let mut words = Vec::new();
    // What each register holds.
    let mut fields: Vec<(usize, Field)> = Vec::new();
    let mut masks: Vec<(usize, Vec<u8>)> = Vec::new();
    for expr in &rule.exprs {
        let field = |from: &usize| fields.iter().rev().find(|(to, _)| to == from).map(|(_, field)| *field);
        match expr {
            Expr::Load { to, field } => {
                masks.retain(|(register, _)| register != to);
                fields.push((*to, *field));
            }
            Expr::Mask { from, to, mask, .. } => {
                if let Some(field) = field(from) {
                    fields.push((*to, field));
                }
                masks.push((*to, mask.clone()));
            }
            Expr::Compare { from, how, with } => {
                let mask = masks.iter().rev().find(|(to, _)| to == from).map(|(_, mask)| mask.as_slice());
                words.push(comparison(field(from), *how, with, mask));
            }
            Expr::Range { from, negated, low, high } => {
                let (name, field) = name(field(from));
                let not = if *negated { "!= " } else { "" };
                words.push(format!("{name} {not}{}-{}", value(field, low), value(field, high)));
            }
            Expr::Lookup { from, set, negated, .. } => {
                words.push(lookup(field(from), set, *negated, sets(set)));
            }
            Expr::Verdict(verdict) => words.push(self::verdict(verdict)),
            Expr::Reject => words.push("reject".into()),
            Expr::Queue => words.push("queue".into()),
            Expr::State { bits, negated } => {
                words.push(format!("ct state {}{}", if *negated { "!= " } else { "" }, states(*bits)));
            }
            Expr::Some(name) => words.push(format!("[{name}]")),
            Expr::Other(name) => {
                // Whatever it loaded is not known by name.
                fields.clear();
                words.push(format!("[{name}]"));
            }
            Expr::Constant { .. } | Expr::Nothing => {}
        }
    }
    words.join(" ")
}

fn comparison(field: Option<Field>, how: Comparison, with: &[u8], mask: Option<&[u8]>) -> String {
    let (name, field) = name(field);
    let sign = match how {
        Comparison::Equal => "",
        Comparison::NotEqual => "!= ",
        Comparison::Less => "< ",
        Comparison::AtMost => "<= ",
        Comparison::Greater => "> ",
        Comparison::AtLeast => ">= ",
    };
    let Some(mask) = mask else { return format!("{name} {sign}{}", value(field, with)) };
    // `field & bits != 0` is how a flag is asked for.
    let is_flag = with.iter().all(|byte| *byte == 0);
    match field {
        Some(Field::State | Field::Status) if is_flag => {
            format!("{name} {}{}", if how == Comparison::Equal { "!= " } else { "" }, value(field, mask))
        }
        Some(Field::Network { .. }) => {
            let length: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
            format!("{name} {sign}{}/{length}", value(field, with))
        }
        _ => format!("{name} & {} {sign}{}", value(None, mask), value(field, with)),
    }
}

fn lookup(field: Option<Field>, set: &str, negated: bool, found: Option<&Set>) -> String {
    let (name, field) = name(field);
    let not = if negated { "!= " } else { "" };
    let elements = found.and_then(|set| set.elements.as_deref());
    let is_map = elements.into_iter().flatten().any(|element| element.verdict.is_some());
    let list = match elements {
        // Sets without a name of their own are called `__set0`, `__map1`.
        Some(elements) if set.starts_with("__") => list(field, elements),
        _ => format!("@{set}"),
    };
    format!("{name} {not}{}{list}", if is_map { "vmap " } else { "" })
}

fn list(field: Option<Field>, elements: &[Element]) -> String {
    let one = |element: &Element| {
        let key = if element.low == element.high {
            value(field, &element.low)
        } else {
            format!("{}-{}", value(field, &element.low), value(field, &element.high))
        };
        match &element.verdict {
            Some(verdict) => format!("{key} : {}", self::verdict(verdict)),
            None => key,
        }
    };
    let mut all: Vec<String> = elements.iter().take(LIST).map(one).collect();
    if elements.len() > LIST {
        all.push("...".into());
    }
    format!("{{ {} }}", all.join(", "))
}

fn name(field: Option<Field>) -> (&'static str, Option<Field>) {
    let name = match field {
        None => "?",
        Some(Field::InName) => "iifname",
        Some(Field::OutName) => "oifname",
        Some(Field::InIndex) => "iif",
        Some(Field::OutIndex) => "oif",
        Some(Field::Family) => "meta nfproto",
        Some(Field::Protocol) => "meta l4proto",
        Some(Field::EtherType) => "meta protocol",
        Some(Field::State) => "ct state",
        Some(Field::Status) => "ct status",
        Some(Field::Direction) => "ct direction",
        Some(Field::Network { offset: 12, length: 1..=4 }) => "ip saddr",
        Some(Field::Network { offset: 16, length: 1..=4 }) => "ip daddr",
        Some(Field::Network { offset: 9, length: 1 }) => "ip protocol",
        Some(Field::Network { offset: 8, length: 5..=16 }) => "ip6 saddr",
        Some(Field::Network { offset: 24, length: 5..=16 }) => "ip6 daddr",
        Some(Field::Network { .. }) => "[network header]",
        Some(Field::Transport { offset: 0, length: 2 }) => "th sport",
        Some(Field::Transport { offset: 2, length: 2 }) => "th dport",
        Some(Field::Transport { offset: 0, length: 1 }) => "icmp type",
        Some(Field::Transport { .. }) => "[transport header]",
    };
    (name, field)
}

fn value(field: Option<Field>, bytes: &[u8]) -> String {
    let host_order = || Some(u32::from_ne_bytes(bytes.try_into().ok()?));
    match field {
        Some(Field::InName | Field::OutName) => {
            let end = bytes.iter().position(|byte| *byte == 0);
            let name = String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]);
            // Without its closing NUL it is only the beginning of a name.
            format!("\"{name}{}\"", if end.is_some() || bytes.len() >= libc::IFNAMSIZ { "" } else { "*" })
        }
        Some(Field::State) => host_order().map_or_else(|| hexadecimal(bytes), states),
        Some(Field::Status) => match host_order() {
            Some(0x20) => "dnat".into(),
            Some(0x10) => "snat".into(),
            _ => hexadecimal(bytes),
        },
        Some(Field::InIndex | Field::OutIndex) => {
            host_order().map_or_else(|| hexadecimal(bytes), |index| index.to_string())
        }
        Some(Field::Family) => match bytes {
            [2] => "ipv4".into(),
            [10] => "ipv6".into(),
            _ => hexadecimal(bytes),
        },
        Some(Field::Protocol | Field::Network { offset: 9, length: 1 }) => match bytes {
            [1] => "icmp".into(),
            [6] => "tcp".into(),
            [17] => "udp".into(),
            [58] => "ipv6-icmp".into(),
            [number] => number.to_string(),
            _ => hexadecimal(bytes),
        },
        Some(Field::Network { offset: 12 | 16, length: 1..=4 }) => network4(bytes),
        Some(Field::Network { offset: 8 | 24, length: 16 }) => {
            <[u8; 16]>::try_from(bytes).map_or_else(|_| hexadecimal(bytes), |a| Ipv6Addr::from(a).to_string())
        }
        Some(Field::Transport { .. } | Field::Direction) if bytes.len() <= 2 => {
            bytes.iter().fold(0_u32, |value, byte| value << 8 | u32::from(*byte)).to_string()
        }
        _ => hexadecimal(bytes),
    }
}

/// An IPv4 address, or the bytes before its prefix's end.
fn network4(bytes: &[u8]) -> String {
    let mut octets = [0; 4];
    for (to, from) in octets.iter_mut().zip(bytes) {
        *to = *from;
    }
    let address = Ipv4Addr::from(octets);
    if bytes.len() == 4 { address.to_string() } else { format!("{address}/{}", bytes.len() * 8) }
}

fn states(bits: u32) -> String {
    let names: Vec<_> = STATES.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect();
    if names.is_empty() { bits.to_string() } else { names.join(",") }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accept => "accept".into(),
        Verdict::Drop => "drop".into(),
        Verdict::Continue => "continue".into(),
        Verdict::Return => "return".into(),
        Verdict::Jump(to) => format!("jump {to}"),
        Verdict::Goto(to) => format!("goto {to}"),
    }
}
