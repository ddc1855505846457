//! Random labs of all that a kernel has, by netlabd's own generator, and what they need of a host.

use netlabd::design::{Choices, Design};

use crate::{feature::Feature, host::TestHost, rng::Rng};

/// The host's interface that macvlans and VLANs stand on.
pub const PARENT: &str = "parent0";

/// The host's bridge of which there are ports.
pub const BRIDGE: &str = "bridge0";

/// Makes what random labs need of a host: [`PARENT`] and [`BRIDGE`].
pub const PREPARE: &str = "ip link add parent0 type veth peer name parent1; ip link set parent0 up; ip link set parent1 up; \
     ip link add bridge0 address 02:00:00:00:0b:01 type bridge; ip link set bridge0 up";

/// Sysctls to choose from.
const SYSCTLS: [(&str, &str); 1] = [("net.ipv4.conf.all.rp_filter", "1")];

/// Does that.
pub fn prepare(host: &TestHost) {
    host.sh(PREPARE);
}

/// Designs labs.
#[derive(Debug)]
pub struct Designer {
    features: Vec<Feature>,
}

impl Choices for Rng {
    fn below(&mut self, end: usize) -> usize {
        self.below(end)
    }
}

impl Designer {
    /// For what the kernel under `host` can do.
    pub fn new(host: &TestHost) -> Self {
        Self { features: Feature::all().into_iter().filter(|feature| feature.works(host)).collect() }
    }

    /// Whether the kernel has a feature.
    pub fn can(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    /// A random lab as JSON. `number` keeps what it uses of the host apart from other labs, below 32.
    pub fn lab(&self, rng: &mut Rng, name: &str, number: usize) -> String {
        let has = |wanted: netlabd::feature::Feature| {
            self.features.iter().any(|feature| feature.option() == wanted.config())
        };
        Design { number, parent: PARENT, bridge: BRIDGE, has: &has, sysctls: &SYSCTLS }
            .json(name, rng)
            .to_string()
    }
}
