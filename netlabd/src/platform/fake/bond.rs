//! Bonds and their members.

use super::world::{FakeForm, Link, LinkId, NamespaceId, World};
use crate::{
    link::Kind,
    model::{IfName, Mac},
};

/// What a member of a bond gets back when it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Own {
    /// Its MAC address.
    pub(super) mac: Option<Mac>,
    mtu: u32,
}

/// What a bond has that has lost its last member.
const BY_CHANCE: Mac = Mac::local([0xfe; 6]);

impl World {
    /// Makes an interface a member of a bond, which has it down and sets it up (`bond_enslave`).
    pub(super) fn join_bond(&mut self, at: LinkId, bond: u32) -> Result<(), i32> {
        if self.link(at).is_some_and(|link| link.up) {
            return Err(libc::EPERM);
        }
        let link = self.link(at).ok_or(libc::ENODEV)?;
        let own = Own { mac: link.mac, mtu: link.mtu };
        let master = self.link((at.0, bond)).ok_or(libc::ENODEV)?;
        if master.mac == Some(BY_CHANCE) {
            master.mac = own.mac;
        }
        let (mac, mtu) = (master.mac, master.mtu);
        let link = self.link(at).ok_or(libc::ENODEV)?;
        (link.master, link.own, link.mac, link.mtu) = (Some(bond), Some(own), mac, mtu);
        self.set_up(at, true)
    }

    /// What becomes of a member without its bond.
    pub(super) fn leave_bond(&mut self, at: LinkId, bond: u32) {
        let _ = self.set_up(at, false);
        if let Some(link) = self.link(at)
            && let Some(own) = link.own.take()
        {
            (link.mac, link.mtu) = (own.mac, own.mtu);
        }
        self.without_members(at.0, bond);
    }

    /// A bond that has lost its last member takes an address by chance.
    pub(super) fn without_members(&mut self, namespace: NamespaceId, bond: u32) {
        let others = self.namespace(namespace).links.values().any(|link| link.master == Some(bond));
        let bond = self.link((namespace, bond)).filter(|link| link.form.ports().of_bond());
        if let Some(bond) = bond.filter(|_| !others) {
            bond.mac = Some(BY_CHANCE);
        }
    }

    /// Gives the members of a bond what it has.
    pub(super) fn lead_members(&mut self, at: LinkId) {
        let Some(bond) = self.link(at).filter(|link| link.form.ports().of_bond()) else { return };
        let (mac, mtu) = (bond.mac, bond.mtu);
        for link in self.namespace(at.0).links.values_mut().filter(|link| link.master == Some(at.1)) {
            (link.mac, link.mtu) = (mac, mtu);
        }
    }

    /// Has a member work whenever it can.
    pub(super) fn set_primary(&mut self, at: LinkId, member: Option<&IfName>) -> Result<(), i32> {
        if let Some(member) = member {
            let index = self.find(at.0, member.as_str()).ok_or(libc::ENODEV)?;
            // It would be remembered for later, and not shown.
            self.link((at.0, index)).filter(|link| link.master == Some(at.1)).ok_or(libc::EINVAL)?;
        }
        match &mut self.link(at).ok_or(libc::ENODEV)?.form {
            FakeForm::Made { kind: Kind::Bond(bond), .. } => {
                bond.primary = member.cloned();
                Ok(())
            }
            _ => Err(libc::EOPNOTSUPP),
        }
    }

    /// A kind as it is shown: no primary that is no member.
    pub(super) fn shown(&self, at: LinkId, kind: &Kind) -> Kind {
        let mut kind = kind.clone();
        if let Kind::Bond(bond) = &mut kind {
            let links = &self.namespaces[&at.0].links;
            let is = |link: &Link, name: &IfName| link.name == name.as_str() && link.master == Some(at.1);
            bond.primary = bond.primary.take().filter(|name| links.values().any(|link| is(link, name)));
        }
        kind
    }
}
