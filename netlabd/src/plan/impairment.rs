//! Impairments of a lab spelt out, and what they ask of all its interfaces.

use sha2::{Digest, Sha256};

use crate::model::{IfName, Impairment, Interface, Lab, Place};

/// What becomes of what leaves by an interface. What chance begins with is derived from the lab's identifier where the
/// file does not say it: the same lab meets the same fate again, another lab another.
pub(super) fn of(place: &Place, name: &IfName, interface: &Interface, uid: &str) -> Option<Impairment> {
    let said = interface.impair.as_ref()?;
    let derived = || {
        let digest = Sha256::digest(format!("{uid}/{place}/{name}/impair"));
        let mut seed = [0; 8];
        seed.copy_from_slice(&digest[..8]);
        u64::from_be_bytes(seed)
    };
    Some(Impairment { seed: said.seed.or_else(|| Some(derived())), ..said.clone() })
}

/// Of how many segments the packets of a lab's interfaces may be. TCP hands up to 64 KiB to an interface at once, to be
/// split behind its queue or never, as on a veth pair: netem would count that as one packet. Where packets count, all of a
/// lab's interfaces take single ones, since what is sent by one may pass the impairment of another.
pub(super) fn segments(lab: &Lab) -> Option<u32> {
    let nodes = lab.nodes.values().flat_map(|node| node.interfaces.values());
    let mut all = nodes.chain(lab.host.interfaces.values());
    all.any(|interface| interface.impair.as_ref().is_some_and(Impairment::counts_packets)).then_some(1)
}
