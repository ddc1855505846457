//! Random labs for property tests.

use proptest::prelude::*;

use netlab_proto::v1 as proto;

use crate::design::{Design, SYSCTLS};

/// A random lab of a name. On the host it uses interfaces and subnets numbered from `host`.
pub(crate) fn design(name: &'static str, host: u8) -> impl Strategy<Value = proto::Lab> {
    prop::collection::vec(any::<u32>(), 0..200).prop_map(move |numbers| {
        let design =
            Design { number: host.into(), parent: "eth9", bridge: "br9", has: &|_| true, sysctls: &SYSCTLS };
        design.lab(name, &mut numbers.into_iter()).expect("a message")
    })
}
