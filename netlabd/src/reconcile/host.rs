//! Sysctls of the host that labs share: what they were before is kept until the last lab that
//! changed them is gone, across restarts and crashes.

use std::collections::BTreeSet;

use crate::{
    clock::boot_id,
    exec::{Failure, Kernel},
    fault,
    model::{Place, SysctlKey},
    plan::Target,
    store::{self, HostValue, Store},
};

/// The sysctls of the host that a lab sets.
pub(super) fn wanted(target: &Target) -> impl Iterator<Item = &SysctlKey> {
    target.places.get(&Place::Host).into_iter().flat_map(|host| host.sysctls.keys())
}

/// What the kernel changes along with a sysctl: the same of every interface.
fn along_with(kernel: &dyn Kernel, key: &SysctlKey) -> Vec<SysctlKey> {
    let family = match key.as_str() {
        "net.ipv4.ip_forward" => "ipv4",
        "net.ipv6.conf.all.forwarding" => "ipv6",
        _ => return Vec::new(),
    };
    let names = kernel.host_sysctl_folder(&format!("net/{family}/conf"));
    let key_of = |name: String| SysctlKey::from_path(&format!("net/{family}/conf/{name}/forwarding")).ok();
    names.into_iter().filter_map(key_of).filter(|other| other != key).collect()
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
            let keep = |key: &SysctlKey, value: String| {
                store.set_host_value(key.as_str(), Some(&HostValue { value, boot_id: boot_id.clone() }))
            };
            for other in along_with(kernel, key) {
                if let Some(exception) = kernel.host_sysctl(&other).filter(|other| *other != value) {
                    keep(&other, exception)?;
                }
            }
            keep(key, value)?;
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
    let mut values: Vec<(SysctlKey, HostValue)> = Vec::new();
    for (name, value) in store.host_values()? {
        match name.parse() {
            Ok(key) => values.push((key, value)),
            Err(error) => return Err(Failure::new("host", format!("stored sysctl {name}: {error}")).into()),
        }
    }
    // Those that change others along with them first, then the exceptions.
    values.sort_by_key(|(key, _)| is_exception(key));
    for (key, value) in values {
        let wanted = |wanted: &SysctlKey| *wanted == key || is_exception(&key) && same_family(wanted, &key);
        if still_wanted.iter().any(wanted) {
            continue;
        }
        // The interface of an exception may be gone.
        if value.boot_id == boot_id && kernel.host_sysctl(&key).is_some() {
            kernel.set_host_sysctl(&key, &value.value)?;
            fault::step("after a sysctl of the host is put back");
        }
        store.set_host_value(key.as_str(), None)?;
    }
    Ok(())
}

/// Whether a key is kept because another one changes it.
fn is_exception(key: &SysctlKey) -> bool {
    !matches!(key.as_str(), "net.ipv4.ip_forward" | "net.ipv6.conf.all.forwarding")
}

fn same_family(a: &SysctlKey, b: &SysctlKey) -> bool {
    let family = |key: &SysctlKey| key.as_str().split('.').nth(1).map(ToOwned::to_owned);
    family(a) == family(b)
}
