//! Addresses of one interface: those that come, those that go, and their order.

use ipnet::IpNet;

use crate::model::{AddressList, observed::AddressState};

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Add(IpNet),
    /// Deletes it and adds it again: it stands in the wrong place, or lacks the route to its network.
    Renew(IpNet),
    Delete(IpNet),
}

/// The steps from what is there to what is wanted, so that the kernel has them in the order of a new interface. One of
/// the wanted ones is there all the time: an interface without any loses its routes. `order` is whether the order is
/// the lab's to decide. IPv4 and IPv6 each by itself.
pub(super) fn steps(wanted: &[IpNet], seen: &[AddressState], order: bool) -> [Vec<Step>; 2] {
    let of = |ipv6: bool| {
        let wanted: Vec<IpNet> = wanted.iter().filter(|a| a.addr().is_ipv6() == ipv6).copied().collect();
        let seen: Vec<&AddressState> = seen.iter().filter(|a| a.address.addr().is_ipv6() == ipv6).collect();
        family(&wanted, &seen, order)
    };
    [of(false), of(true)]
}

fn family(wanted: &[IpNet], seen: &[&AddressState], order: bool) -> Vec<Step> {
    let unwanted: Vec<IpNet> = seen
        .iter()
        .filter(|state| state.ours && !wanted.contains(&state.address))
        .map(|state| state.address)
        .collect();
    let there = |address: &IpNet| seen.iter().find(|state| state.address == *address);
    // What is added first, and what of the rest stays untouched.
    let plan = |first: usize, keep: usize| -> Vec<Step> {
        let step = |(number, address): (usize, &IpNet)| match there(address) {
            None => Some(Step::Add(*address)),
            Some(state) if number >= keep || state.cut_off => Some(Step::Renew(*address)),
            Some(_) => None,
        };
        let wanted = wanted.iter().enumerate();
        let (mut steps, rest): (Vec<_>, Vec<_>) = wanted.partition(|(number, _)| *number < first);
        steps.extend(rest);
        let steps = steps.into_iter().filter_map(step);
        steps.chain(unwanted.iter().map(|address| Step::Delete(*address))).collect()
    };
    let simple = plan(0, wanted.len());
    if !order {
        return simple;
    }
    let mut fresh = AddressList::default();
    for address in wanted {
        fresh.add(*address);
    }
    let right = |steps: &Vec<Step>| {
        let mut list = AddressList::new(seen.iter().map(|state| state.address));
        for step in steps {
            match step {
                Step::Add(address) => list.add(*address),
                Step::Renew(address) => {
                    list.delete(address);
                    list.add(*address);
                }
                Step::Delete(address) => list.delete(address),
            }
        }
        list.iter().filter(|address| wanted.contains(address)).eq(fresh.iter())
    };
    if right(&simple) {
        return simple;
    }
    // What others added may keep ours from their order: then that stays as it is.
    let renewals = (1..wanted.len()).rev().map(|keep| plan(1, keep));
    renewals.chain([anew(wanted, seen)]).find(|steps| right(steps)).unwrap_or(simple)
}

/// The surest way: the first alone, and then the others.
fn anew(wanted: &[IpNet], seen: &[&AddressState]) -> Vec<Step> {
    let Some((first, rest)) = wanted.split_first() else { return Vec::new() };
    let is_there = seen.iter().any(|state| state.address == *first);
    let add = if is_there { None } else { Some(Step::Add(*first)) };
    let others = seen.iter().filter(|state| state.address != *first);
    let others = others.filter(|state| state.ours || rest.contains(&state.address));
    let gone = others.map(|state| Step::Delete(state.address));
    add.into_iter().chain(gone).chain(rest.iter().map(|address| Step::Add(*address))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POOL: [&str; 7] = [
        "10.0.0.1/24",
        "10.0.0.2/24",
        "10.0.0.3/24",
        "10.0.1.1/24",
        "10.0.1.2/24",
        "2001:db8::1/64",
        "2001:db8::2/64",
    ];

    fn some() -> impl Strategy<Value = Vec<IpNet>> {
        let pool: Vec<IpNet> = POOL.iter().map(|text| text.parse().unwrap()).collect();
        proptest::sample::subsequence(pool, 0..=POOL.len()).prop_shuffle()
    }

    fn list(addresses: &[IpNet]) -> AddressList {
        let mut list = AddressList::default();
        for address in addresses {
            list.add(*address);
        }
        list
    }

    proptest! {
        #[test]
        fn from_any_to_any(before in some(), after in some()) {
            let state = |address: &IpNet| AddressState { address: *address, ours: true, cut_off: false };
            let mut now = list(&before);
            let seen: Vec<_> = now.iter().map(state).collect();
            for step in steps(&after, &seen, true).concat() {
                match step {
                    Step::Add(address) => now.add(address),
                    Step::Delete(address) => now.delete(&address),
                    Step::Renew(address) => {
                        now.delete(&address);
                        let family = |other: &&IpNet| other.addr().is_ipv4() == address.addr().is_ipv4();
                        prop_assert!(now.iter().any(|other| family(&other)), "no address for a moment");
                        now.add(address);
                    }
                }
            }
            let families = |list: &AddressList, v4: bool| -> Vec<IpNet> {
                list.iter().filter(|address| address.addr().is_ipv4() == v4).copied().collect()
            };
            for v4 in [true, false] {
                prop_assert_eq!(families(&now, v4), families(&list(&after), v4));
            }
        }
    }
}
