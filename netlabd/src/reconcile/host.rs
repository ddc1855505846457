//! Sysctls of the host that labs share: what they were before is kept until the last lab that
//! changed them is gone, across restarts and crashes.

use std::{collections::BTreeSet, fs};

use crate::{
    exec::{Failure, Kernel},
    model::{Place, SysctlKey},
    plan::Target,
    store::{self, HostValue, Store},
};

/// The running boot; values of earlier ones mean nothing.
fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// The sysctls of the host that a lab sets.
pub(super) fn wanted(target: &Target) -> impl Iterator<Item = &SysctlKey> {
    target.places.get(&Place::Host).into_iter().flat_map(|host| host.sysctls.keys())
}

/// Keeps what the sysctls are before a lab changes them, unless another lab has done so.
pub(super) fn claim(store: &Store, kernel: &dyn Kernel, target: &Target) -> Result<(), store::Error> {
    let mut keys = wanted(target).peekable();
    if keys.peek().is_none() {
        return Ok(());
    }
    let (known, boot_id) = (store.host_values()?, boot_id());
    for key in keys {
        if known.get(key.as_str()).is_some_and(|value| value.boot_id == boot_id) {
            continue;
        }
        if let Some(value) = kernel.host_sysctl(key) {
            store.set_host_value(key.as_str(), Some(&HostValue { value, boot_id: boot_id.clone() }))?;
        }
    }
    Ok(())
}

/// Puts back every sysctl that no lab wants any more.
pub(super) fn release(
    store: &Store,
    kernel: &dyn Kernel,
    still_wanted: &BTreeSet<SysctlKey>,
) -> Result<(), super::Error> {
    let boot_id = boot_id();
    for (name, value) in store.host_values()? {
        let key: SysctlKey = match name.parse() {
            Ok(key) => key,
            Err(error) => return Err(Failure::new("host", format!("stored sysctl {name}: {error}")).into()),
        };
        if still_wanted.contains(&key) {
            continue;
        }
        if value.boot_id == boot_id {
            kernel.set_host_sysctl(&key, &value.value)?;
        }
        store.set_host_value(&name, None)?;
    }
    Ok(())
}
