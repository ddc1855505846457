//! Giving up capabilities(7) for good.

use rustix::{
    io::Errno,
    thread::{
        CapabilitySet, CapabilitySets, capability_is_in_bounding_set, clear_ambient_capability_set,
        remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
    },
};

/// Drops all capabilities of the calling thread but some that it has, and any way to gain more.
///
/// # Errors
/// The kernel's.
pub(crate) fn keep(kept: CapabilitySet) -> Result<(), Errno> {
    // Up to the first that the kernel does not know, so those that this program does not know go too.
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        match capability_is_in_bounding_set(capability) {
            // To drop one takes CAP_SETPCAP even where it is gone already, as under systemd.
            Ok(true) if !kept.contains(capability) => remove_capability_from_bounding_set(capability)?,
            Ok(_) => {}
            Err(Errno::INVAL) => break,
            Err(errno) => return Err(errno),
        }
    }
    clear_ambient_capability_set()?;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets)?;
    set_no_new_privs(true)
}
