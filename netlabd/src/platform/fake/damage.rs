//! What others do to a lab, each thing in one line of text.

use super::{
    FakeKernel,
    ops::Lab,
    world::{FakeForm, Link, LinkId},
};
use crate::{
    link::{Bridge, Dummy, Kind},
    model::{
        LabName, Mac, Place, PortSettings,
        observed::{AddressState, QdiscState, TableState},
    },
    plan::{Op, item::Namespace},
};

impl FakeKernel {
    /// Does what a line says to a lab, in its terms: `down ns1:eth0`. Answers whether there was
    /// anything to do it to.
    pub fn damage(&self, lab: &LabName, line: &str) -> bool {
        let words: Vec<_> = line.split_whitespace().collect();
        let mut state = self.state();
        let mut lab = Lab { name: lab, world: &mut state.world };
        lab.damage(&words).unwrap_or_else(|| panic!("not a damage: {line}"))
    }
}

impl Lab<'_> {
    fn damage(&mut self, words: &[&str]) -> Option<bool> {
        let (verb, rest) = words.split_first()?;
        let (what, rest) = rest.split_first()?;
        let done = match (*verb, rest) {
            ("unpin", []) => self.world.pins.remove(&format!("{}.{what}", self.name)).is_some(),
            ("kill", []) => {
                let Ok(node) = what.parse() else { return Some(false) };
                let known = self.namespace(&place(what)).is_ok();
                known && self.run(&Op::delete(Namespace(node))).is_ok()
            }
            (verb @ ("flush-nat" | "flush-firewall"), []) => {
                let Ok(namespace) = self.namespace(&place(what)) else { return Some(false) };
                let namespace = self.world.namespace(namespace);
                match verb {
                    "flush-nat" => namespace.nat.remove(self.name).is_some(),
                    _ => namespace.firewalls.remove(self.name).is_some(),
                }
            }
            ("sysctl", [key, value]) => {
                let Ok(namespace) = self.namespace(&place(what)) else { return Some(false) };
                self.world.set_sysctl(namespace, &key.parse().ok()?, value).is_ok()
            }
            ("table", [name]) => {
                let Ok(namespace) = self.namespace(&place(what)) else { return Some(false) };
                let table = TableState { family: "ip".into(), name: (*name).into(), chains: 1, rules: 2 };
                self.world.namespace(namespace).tables.push(table);
                true
            }
            ("unrule", []) => {
                let Ok(namespace) = self.namespace(&place(what)) else { return Some(false) };
                !std::mem::take(&mut self.world.namespace(namespace).rules).is_empty()
            }
            ("unneighbour", []) => {
                let Ok(namespace) = self.namespace(&place(what)) else { return Some(false) };
                !std::mem::take(&mut self.world.namespace(namespace).neighbours).is_empty()
            }
            ("strange", []) => self.stranger(what, Dummy.into()),
            ("strange-bridge", []) => self.stranger(what, Bridge::default().into()),
            (_, rest) => {
                let Some(at) = self.spot(what) else { return Some(false) };
                self.damage_link(verb, at, rest)?
            }
        };
        Some(done)
    }

    fn damage_link(&mut self, verb: &str, at: LinkId, rest: &[&str]) -> Option<bool> {
        let link = self.world.link(at)?;
        Some(match (verb, rest) {
            ("delete", []) => {
                self.world.delete(at);
                true
            }
            ("up", []) => self.world.set_up(at, true).is_ok(),
            ("down", []) => self.world.set_up(at, false).is_ok(),
            ("mtu", [mtu]) => self.world.set_mtu(at, mtu.parse().ok()?).is_ok(),
            ("mac", [mac]) => self.world.set_mac(at, mac.parse().ok()?).is_ok(),
            ("unmark", []) => link.mark.take().is_some(),
            ("nomaster", []) => self.world.set_master(at, None).is_ok(),
            ("rename", [name]) => {
                let from = link.name.clone();
                self.rename(at.0, &from, name).is_ok()
            }
            ("disconnect", []) => {
                link.addresses.iter_mut().for_each(|state| state.cut_off = true);
                !link.addresses.is_empty()
            }
            ("enslave", [master]) => {
                let master = self.world.find(at.0, master)?;
                self.world.set_master(at, Some(master)).is_ok()
            }
            ("unport", []) => {
                let seen = link.port_settings.as_mut();
                seen.map(|seen| *seen = PortSettings { hairpin: !seen.hairpin, ..*seen }).is_some()
            }
            ("unfdb", []) => !std::mem::take(&mut link.fdb).is_empty(),
            ("novlans", []) => {
                link.vlans.clear();
                true
            }
            ("unaddress", []) => {
                let addresses: Vec<_> = link.addresses.iter().map(|state| state.address).collect();
                for address in &addresses {
                    self.world.delete_address(at, *address);
                }
                !addresses.is_empty()
            }
            ("address", [address]) => {
                link.addresses.push(AddressState {
                    address: address.parse().ok()?,
                    ours: false,
                    cut_off: false,
                });
                true
            }
            ("tc", [kind]) => {
                link.qdisc = Some(QdiscState::Foreign((*kind).to_owned()));
                true
            }
            ("netem", []) => {
                // What no lab file can say.
                let ours = matches!(link.qdisc, Some(QdiscState::Ours(_)));
                link.qdisc = link.qdisc.take().map(|_| QdiscState::Ours(None));
                ours
            }
            ("unqueue", []) => link.qdisc.take().is_some(),
            ("segments", [count]) => {
                link.segments.now = count.parse().ok()?;
                true
            }
            ("unroute", []) => {
                let name = link.name.clone();
                let routes = &mut self.world.namespace(at.0).routes;
                let before = routes.len();
                routes.retain(|state| !state.route.leads_through(&name));
                routes.len() < before
            }
            _ => return None,
        })
    }

    /// Somebody makes an interface of their own.
    fn stranger(&mut self, what: &str, kind: Kind) -> bool {
        let Some((at, name)) = what.split_once(':') else { return false };
        let Ok(namespace) = self.namespace(&place(at)) else { return false };
        if self.world.find(namespace, name).is_some() {
            return false;
        }
        let mac = Some(Mac::local([2, 0, 0, 0, 9, u8::try_from(name.len()).unwrap_or(0)]));
        let link = Link::new(name, FakeForm::Made { kind, lower: None, mtu_set: false });
        self.world.add(namespace, Link { mac, ..link });
        true
    }

    fn spot(&self, text: &str) -> Option<LinkId> {
        let (at, name) = text.split_once(':')?;
        let namespace = self.namespace(&place(at)).ok()?;
        Some((namespace, self.world.find(namespace, name)?))
    }
}

fn place(text: &str) -> Place {
    text.parse().map_or(Place::Host, Place::Node)
}
