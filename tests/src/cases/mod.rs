//! The tests, by subject.

use crate::feature::Feature;

mod abuse;
mod advice;
mod apply;
mod bad_input;
mod bond;
mod bounds;
mod by_hand;
mod cables;
mod captures;
mod classroom;
mod client;
mod concurrency;
mod drift;
mod encap;
mod exec;
mod extras;
mod failure;
mod faults;
mod fidelity;
mod filters;
mod firewall;
mod following;
mod harness;
mod history;
mod host_apart;
mod host_ranges;
mod host_values;
mod impairments;
mod inside;
mod kinds;
mod labs;
mod metrics;
mod nodes;
mod notebook;
mod office;
mod outcome;
mod permissions;
mod pki;
mod policy_routing;
mod programs;
mod remote;
mod repairs;
mod restart;
mod routing;
mod shortage;
mod shown;
mod ssh;
mod status;
mod store;
mod switching;
mod tour;
mod translations;
mod unruly;
mod vrf;
mod words;

/// One test.
#[derive(Debug, Clone, Copy)]
pub struct Test {
    /// Its name, `subject::what`.
    pub name: &'static str,
    /// What the kernel must have.
    pub needs: &'static [Feature],
    /// What the kernel must lack.
    pub lacks: &'static [Feature],
    /// Whether one kernel is enough for it: what it shows has nothing to do with the kernel.
    pub once: bool,
    /// The test. It runs in a private host of its own, and fails by panicking.
    pub run: fn(),
}

impl Test {
    /// A test that runs on every kernel.
    const fn new(name: &'static str, run: fn()) -> Self {
        Self { name, needs: &[], lacks: &[], once: false, run }
    }

    /// The same where the kernel has all these features.
    const fn needs(self, needs: &'static [Feature]) -> Self {
        Self { needs, ..self }
    }

    /// The same, on one kernel only.
    const fn once(self) -> Self {
        Self { once: true, ..self }
    }

    /// The same where the kernel has none of these features.
    const fn lacks(self, lacks: &'static [Feature]) -> Self {
        Self { lacks, ..self }
    }
}

/// All tests, in the order in which they are reported.
pub fn all() -> Vec<Test> {
    let of_kernels = [
        labs::TESTS,
        notebook::TESTS,
        office::TESTS,
        kinds::TESTS,
        shown::TESTS,
        switching::TESTS,
        cables::TESTS,
        impairments::TESTS,
        fidelity::TESTS,
        apply::TESTS,
        drift::TESTS,
        repairs::TESTS,
        status::TESTS,
        advice::TESTS,
        failure::TESTS,
        firewall::TESTS,
        encap::TESTS,
        translations::TESTS,
        by_hand::TESTS,
        extras::TESTS,
        classroom::TESTS,
        host_apart::TESTS,
        host_ranges::TESTS,
        inside::TESTS,
        host_values::TESTS,
        outcome::TESTS,
        routing::TESTS,
        policy_routing::TESTS,
        vrf::TESTS,
        bond::TESTS,
        shortage::TESTS,
        faults::TESTS,
        abuse::TESTS,
        unruly::TESTS,
        bounds::TESTS,
        programs::TESTS,
    ];
    // What netlabd does with files, commands, clients and its own store.
    let of_netlabd = [
        concurrency::TESTS,
        store::TESTS,
        restart::TESTS,
        filters::TESTS,
        captures::TESTS,
        exec::TESTS,
        nodes::TESTS,
        harness::TESTS,
        tour::TESTS,
        bad_input::TESTS,
        words::TESTS,
        history::TESTS,
        following::TESTS,
        client::TESTS,
        permissions::TESTS,
        remote::TESTS,
        ssh::TESTS,
        pki::TESTS,
        metrics::TESTS,
    ];
    let once = of_netlabd.concat().into_iter().map(Test::once);
    of_kernels.concat().into_iter().chain(once).collect()
}
