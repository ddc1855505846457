//! Our chains, made and found.

use std::ffi::CString;

use nftnl::{Chain, ChainType, Hook, Policy, Table};

use super::super::netlink::{self, Message};
use super::{
    Error, Socket, TABLE,
    message::{self, OfNftables as _, attr},
};
use crate::model::nft::{self, Kind};

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
            let field = |kind| message::number(netlink::attribute(hook, kind)?);
            let number = field(attr::HOOK_NUMBER)?;
            let priority = field(attr::HOOK_PRIORITY)?.cast_signed();
            let kind = message.text(attr::CHAIN_TYPE)?.to_owned();
            Some((kind, number, priority, message.number(attr::CHAIN_POLICY)?))
        };
        Some(Self { name: message.text(attr::CHAIN_NAME)?.to_owned(), base: base() })
    }

    /// Whether the kernel can make it the chain that we want without deleting it: the policy can be
    /// changed, all else cannot.
    pub(super) fn can_become(&self, wanted: &nft::Chain) -> bool {
        let fits =
            |hook: u32, priority| hook == self::hook(wanted.hook) as u32 && priority == wanted.priority;
        self.base.as_ref().is_some_and(|(kind, hook, priority, _)| {
            *kind == wanted.kind.to_string() && fits(*hook, *priority)
        })
    }

    /// Whether it is no base chain.
    pub(super) fn is_regular(&self) -> bool {
        self.base.is_none()
    }

    /// Whether it is as we make it.
    pub(super) fn is(&self, wanted: &nft::Chain) -> bool {
        let policy = policy(wanted.policy) as u32;
        self.base.as_ref().is_some_and(|(.., found)| *found == policy) && self.can_become(wanted)
    }
}

/// A chain by its name alone, to hold rules or to be deleted.
pub(super) fn bare<'a>(table: &'a Table, name: &str) -> Chain<'a> {
    Chain::new(CString::new(name).expect("names of labs hold no NUL"), table)
}

/// A base chain as we want it.
pub(super) fn base<'a>(table: &'a Table, name: &str, wanted: &nft::Chain) -> Chain<'a> {
    let mut chain = bare(table, name);
    chain.set_hook(hook(wanted.hook), wanted.priority);
    chain.set_type(match wanted.kind {
        Kind::Filter => ChainType::Filter,
        Kind::Nat => ChainType::Nat,
    });
    chain.set_policy(policy(wanted.policy));
    chain
}

fn hook(hook: nft::Hook) -> Hook {
    match hook {
        nft::Hook::Prerouting => Hook::PreRouting,
        nft::Hook::Input => Hook::In,
        nft::Hook::Forward => Hook::Forward,
        nft::Hook::Output => Hook::Out,
        nft::Hook::Postrouting => Hook::PostRouting,
    }
}

fn policy(policy: nft::Policy) -> Policy {
    match policy {
        nft::Policy::Accept => Policy::Accept,
        nft::Policy::Drop => Policy::Drop,
    }
}

/// All chains of our table.
pub(super) fn all(socket: &Socket) -> Result<Vec<FoundChain>, Error> {
    socket.dump(libc::NFT_MSG_GETCHAIN, &[], FoundChain::read)
}
