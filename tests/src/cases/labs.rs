//! The example labs, end to end.

use super::Test;
use crate::host::TestHost;

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[Test::new("labs::smoke", smoke)];

fn smoke() {
    let host = TestHost::here();
    let before = host.inventory();
    host.sh("ip link add a0 type veth peer name a1");
    host.sh("ip link del a0");
    before.assert_unchanged();
}
