//! Our two kinds of chains, made and found.

use std::ffi::CString;

use nftnl::{Chain, ChainType, Hook, Policy, Table};

use super::{
    Error, Socket, TABLE,
    message::{self, Message, attr},
};

/// The two kinds of chains, in the order of [`ChainScope::chains`].
pub(super) const KINDS: [Kind; 2] = [
    Kind { suffix: "prerouting", hook: Hook::PreRouting, priority: -100 },
    Kind { suffix: "postrouting", hook: Hook::PostRouting, priority: 100 },
];

/// What a base chain of ours is: nat, with the standard priorities `dstnat` and `srcnat` of nft(8).
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    /// The end of the chain's name.
    pub(super) suffix: &'static str,
    hook: Hook,
    priority: i32,
}

/// A chain of our table as the kernel shows it.
#[derive(Debug)]
pub(super) struct FoundChain {
    pub(super) name: String,
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
    pub(super) fn can_become(&self, kind: Kind) -> bool {
        let fits = |hook: u32, priority| hook == kind.hook as u32 && priority == kind.priority;
        self.base.as_ref().is_some_and(|(name, hook, priority, _)| name == "nat" && fits(*hook, *priority))
    }

    /// Whether it is a base chain that filters at this hook, and lets pass what no rule drops.
    pub(super) fn is_filter(&self, hook: Hook, priority: i32) -> bool {
        let accept = Policy::Accept as u32;
        self.base.as_ref().is_some_and(|base| *base == ("filter".to_owned(), hook as u32, priority, accept))
    }

    /// Whether it is no base chain.
    pub(super) fn is_regular(&self) -> bool {
        self.base.is_none()
    }

    /// Whether it is as we make it.
    pub(super) fn is(&self, kind: Kind) -> bool {
        let accepts = self.base.as_ref().is_some_and(|(.., policy)| *policy == Policy::Accept as u32);
        accepts && self.can_become(kind)
    }
}

/// A chain by its name alone, to hold rules or to be deleted.
pub(super) fn bare<'a>(table: &'a Table, name: &str) -> Chain<'a> {
    Chain::new(CString::new(name).expect("names of labs hold no NUL"), table)
}

/// A chain as we want it.
pub(super) fn base<'a>(table: &'a Table, name: &str, kind: Kind) -> Chain<'a> {
    let mut chain = bare(table, name);
    chain.set_hook(kind.hook, kind.priority);
    chain.set_type(ChainType::Nat);
    chain.set_policy(Policy::Accept);
    chain
}

/// All chains of our table.
pub(super) fn all(socket: &Socket) -> Result<Vec<FoundChain>, Error> {
    socket.dump(libc::NFT_MSG_GETCHAIN, &[], FoundChain::read)
}
