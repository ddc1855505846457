//! Sysctls of the host that labs share: what they were before is kept until the last lab that
//! changed them is gone, across restarts and crashes.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    clock::boot_id,
    failpoint,
    model::{Apart, IfName, Place, SysctlKey},
    plan::{PlaceTarget, Target},
    platform::{Failure, Kernel},
    store::{self, HostValue, Store},
};

/// The sysctls of the host that a lab sets and others may want too; those of its own interfaces go with them.
pub(super) fn wanted(target: &Target) -> impl Iterator<Item = &SysctlKey> {
    target.host().into_iter().flat_map(PlaceTarget::shared_sysctls)
}

/// What was apart on the host before labs, for a lab that makes it forward; what no lab has changed yet is as it is.
pub(super) fn apart(store: &Store, kernel: &dyn Kernel, target: &Target) -> Result<Apart, super::Error> {
    let boot_id = boot_id();
    let mut values = store.host_values()?;
    values.retain(|_, value| value.boot_id == boot_id);
    let was_off = |key: &&SysctlKey| match values.get(key.as_str()) {
        Some(before) => before.value == "0",
        None => kernel.host_sysctl(key).as_deref() == Some("0"),
    };
    let off: Vec<&SysctlKey> = wanted(target).filter(was_off).collect();
    let is_off = |name: &str| off.iter().find(|key| key.as_str() == name);
    let (ipv4, ipv6) = (is_off("net.ipv4.ip_forward"), is_off("net.ipv6.conf.all.forwarding"));
    if ipv4.is_none() && ipv6.is_none() {
        return Ok(Apart::default());
    }
    let on = |key: &SysctlKey| match values.get(key.as_str()) {
        Some(before) => before.value == "1",
        // Once a lab has changed them, those that are not kept were as the rest.
        None => {
            !ipv4.is_some_and(|all| values.contains_key(all.as_str()))
                && kernel.host_sysctl(key).as_deref() == Some("1")
        }
    };
    let exceptions = ipv4.map_or_else(Vec::new, |all| along_with(kernel, all));
    let exceptions: BTreeSet<IfName> =
        exceptions.iter().filter(|key| on(key)).filter_map(SysctlKey::interface).collect();
    let bridges =
        kernel.host()?.links.into_iter().filter(|(_, link)| link.bridge.is_some() && link.lab.is_none());
    Ok(Apart {
        ipv4: ipv4.is_some(),
        ipv6: ipv6.is_some(),
        exceptions: exceptions.into_iter().collect(),
        bridges: bridges.filter_map(|(name, _)| name.parse().ok()).collect(),
    })
}

/// The same target with what was apart on the host; `None` where it has no guard to which that matters.
pub(super) fn with_apart(target: &Target, apart: impl FnOnce() -> Option<Apart>) -> Option<Arc<Target>> {
    let guard = target.host()?.guard.as_ref()?;
    if !guard.forwards || guard.apart.is_some() {
        return None;
    }
    let apart = apart()?;
    let mut target = target.clone();
    let guard = Arc::make_mut(target.places.get_mut(&Place::Host)?).guard.as_mut()?;
    guard.apart = Some(apart);
    Some(Arc::new(target))
}

/// What of the host is kept apart by a target.
pub(super) fn apart_of(target: &Target) -> Option<&Apart> {
    target.host()?.guard.as_ref()?.apart.as_ref()
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
            failpoint::step("after a sysctl of the host is put back");
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
