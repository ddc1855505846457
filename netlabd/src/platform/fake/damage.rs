//! What others do to a lab, each thing in one line of text.

use super::{
    FakeKernel,
    ops::Lab,
    world::{At, FakeForm, Link},
};
use crate::{
    link::Dummy,
    model::{
        LabName, Place,
        observed::{AddressState, TableState},
    },
    plan::{Op, item::Namespace},
};

impl FakeKernel {
    /// Does what a line says to a lab, in its terms: `down ns1:eth0`. Answers whether there was
    /// anything to do it to.
    pub(crate) fn damage(&self, lab: &LabName, line: &str) -> bool {
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
                let known = self.space(&place(what)).is_ok();
                known && self.run(&Op::delete(Namespace(node))).is_ok()
            }
            ("flush-nat", []) => {
                let Ok(space) = self.space(&place(what)) else { return Some(false) };
                self.world.space(space).nat.remove(self.name).is_some()
            }
            ("sysctl", [key, value]) => {
                let Ok(space) = self.space(&place(what)) else { return Some(false) };
                self.world.set_sysctl(space, &key.parse().ok()?, value).is_ok()
            }
            ("table", [name]) => {
                let Ok(space) = self.space(&place(what)) else { return Some(false) };
                let table = TableState { family: "ip".into(), name: (*name).into(), chains: 1, rules: 2 };
                self.world.space(space).tables.push(table);
                true
            }
            ("strange", []) => self.stranger(what),
            (_, rest) => {
                let Some(at) = self.spot(what) else { return Some(false) };
                self.damage_link(verb, at, rest)?
            }
        };
        Some(done)
    }

    fn damage_link(&mut self, verb: &str, at: At, rest: &[&str]) -> Option<bool> {
        let link = self.world.link(at)?;
        Some(match (verb, rest) {
            ("delete", []) => {
                self.world.delete(at);
                true
            }
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
            ("unroute", []) => {
                let name = link.name.clone();
                let routes = &mut self.world.space(at.0).routes;
                let before = routes.len();
                routes.retain(|state| state.route.dev.as_str() != name);
                routes.len() < before
            }
            _ => return None,
        })
    }

    /// Somebody makes an interface of their own.
    fn stranger(&mut self, what: &str) -> bool {
        let Some((at, name)) = what.split_once(':') else { return false };
        let Ok(space) = self.space(&place(at)) else { return false };
        if self.world.find(space, name).is_some() {
            return false;
        }
        self.world
            .add(space, Link::new(name, FakeForm::Made { kind: Dummy.into(), lower: None, mtu_set: false }));
        true
    }

    fn spot(&self, text: &str) -> Option<At> {
        let (at, name) = text.split_once(':')?;
        let space = self.space(&place(at)).ok()?;
        Some((space, self.world.find(space, name)?))
    }
}

fn place(text: &str) -> Place {
    text.parse().map_or(Place::Host, Place::Node)
}
