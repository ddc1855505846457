//! A host's nftables ruleset as far as it decides whether a packet passes: plain data, whoever made it.

use std::collections::BTreeMap;

/// All tables of one network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ruleset {
    /// Chains, by table and name.
    pub chains: BTreeMap<(TableId, String), Chain>,
    /// The sets and maps that rules look into, by table and name.
    pub sets: BTreeMap<(TableId, String), Set>,
}

/// A table: names are unique within a family only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableId {
    /// The family, `NFPROTO_*` of linux/netfilter.h.
    pub family: u8,
    /// The name.
    pub name: String,
}

/// A chain and its rules in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chain {
    /// Where it is hooked in; `None`: only other chains lead to it.
    pub base: Option<Base>,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// What a base chain is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// `filter`, `nat` or `route`.
    pub kind: String,
    /// The hook, `NF_INET_*` (or `NF_NETDEV_*`) of linux/netfilter.h.
    pub hook: u32,
    /// Lower ones see a packet first.
    pub priority: i32,
    /// Whether what no rule decides about is dropped.
    pub drops: bool,
    /// The interfaces of a chain at a device's own hook.
    pub devices: Vec<String>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its number in the table, as `nft -a` shows it.
    pub handle: u64,
    /// Its expressions in order.
    pub exprs: Vec<Expr>,
}

/// One expression of a rule. Registers are byte offsets into the 64 bytes that all of them make up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// Loads something of the packet.
    Load {
        /// The register.
        to: usize,
        /// What is loaded.
        field: Field,
    },
    /// Loads constant bytes.
    Constant {
        /// The register.
        to: usize,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// `to = (from & mask) ^ xor`, as many bytes as the mask has.
    Mask {
        /// The source register.
        from: usize,
        /// The destination register.
        to: usize,
        /// Which bits stay.
        mask: Vec<u8>,
        /// Which bits are turned.
        xor: Vec<u8>,
    },
    /// Goes on only if the comparison holds.
    Compare {
        /// The register.
        from: usize,
        /// How.
        how: Comparison,
        /// With what, the most significant byte first.
        with: Vec<u8>,
    },
    /// Goes on only if the register is within the range, or with `negated` only if it is not.
    Range {
        /// The register.
        from: usize,
        /// Whether it must be outside.
        negated: bool,
        /// The lowest value.
        low: Vec<u8>,
        /// The highest value.
        high: Vec<u8>,
    },
    /// Goes on only if the register is an element of a set, or with `negated` only if it is not. Of a map
    /// to verdicts, the element's verdict is taken.
    Lookup {
        /// The register.
        from: usize,
        /// Name of the set.
        set: String,
        /// Whether it must not be an element.
        negated: bool,
        /// Whether something other than a verdict is loaded.
        loads: bool,
    },
    /// Ends the rule.
    Verdict(Verdict),
    /// Ends the packet, with or without telling its sender.
    Reject,
    /// Hands the packet to a program, which decides.
    Queue,
    /// Matches by the connection's state (`xt_conntrack`): bits of `ct state`, and whether none of them
    /// must be set.
    State {
        /// The bits.
        bits: u32,
        /// Whether none may be set.
        negated: bool,
    },
    /// Matches some packets by what they carry; which, does not matter here (`xt_tcp`, a limit).
    Some(String),
    /// Decides nothing: counts, logs, sets a mark.
    Nothing,
    /// Anything that is not understood here, by the kernel's name for it.
    Other(String),
}

/// What a rule loads of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Name of the interface it came in by, 16 bytes.
    InName,
    /// Name of the interface it leaves by, 16 bytes.
    OutName,
    /// Index of the interface it came in by, 4 bytes in the host's order.
    InIndex,
    /// Index of the interface it leaves by.
    OutIndex,
    /// The family of its network header, `NFPROTO_*`, 1 byte.
    Family,
    /// Its transport protocol, 1 byte.
    Protocol,
    /// Its Ethernet type, 2 bytes.
    EtherType,
    /// The connection's state, 4 bytes in the host's order.
    State,
    /// The connection's status (`IPS_*`), 4 bytes in the host's order.
    Status,
    /// 0 for packets of the connection's first direction, 1 for answers.
    Direction,
    /// Bytes of the network header.
    Network {
        /// From which byte.
        offset: usize,
        /// How many.
        length: usize,
    },
    /// Bytes of the transport header.
    Transport {
        /// From which byte.
        offset: usize,
        /// How many.
        length: usize,
    },
}

/// How a register is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
    /// Less.
    Less,
    /// Less or equal.
    AtMost,
    /// Greater.
    Greater,
    /// Greater or equal.
    AtLeast,
}

/// What a rule decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This base chain lets the packet pass; others may still drop it.
    Accept,
    /// The packet ends here.
    Drop,
    /// The next rule.
    Continue,
    /// Back to the chain that led here; in a base chain, its policy.
    Return,
    /// A chain, and then the rule after this one.
    Jump(String),
    /// A chain, and then whatever comes after this one.
    Goto(String),
}

/// A set or a map.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Set {
    /// Its elements; `None` if there are too many to read, or of a kind that is not understood.
    pub elements: Option<Vec<Element>>,
}

/// An element of a set: all keys from `low` to `high`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// The first key.
    pub low: Vec<u8>,
    /// The last key.
    pub high: Vec<u8>,
    /// In a map to verdicts: what it leads to.
    pub verdict: Option<Verdict>,
}
