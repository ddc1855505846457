//! The memory of captures: each user's is bounded, and shared out.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{denied::Denied, owner::Owner};

/// What one capture has where there is plenty.
const PLENTY: u64 = 16 << 20;
/// The least that an interface needs, in bytes.
const LEAST: u64 = 1 << 20;

/// What all users' captures have, in bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Shares(Arc<Mutex<HashMap<Owner, u64>>>);

/// A capture's memory; given back when dropped.
#[derive(Debug)]
pub struct Share {
    owner: Owner,
    bytes: u64,
    shares: Shares,
}

impl Share {
    /// How much it is.
    pub fn bytes(&self) -> usize {
        usize::try_from(self.bytes).unwrap_or(usize::MAX)
    }
}

impl Shares {
    /// Memory for a capture of so many interfaces by a user who may have `most` in all: plenty at first, then a
    /// quarter of what is left, so that there is something for later ones.
    pub(super) fn take(&self, owner: Owner, interfaces: usize, most: u64) -> Result<Share, Denied> {
        let mut shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let used = shares.get(&owner).copied().unwrap_or_default();
        let least = LEAST.saturating_mul(interfaces.max(1) as u64);
        if used.saturating_add(least) > most {
            let mib = |bytes: u64| bytes >> 20;
            return Err(Denied::Quota {
                quota: "capture_memory (MiB)",
                used: mib(used),
                asked: mib(least),
                limit: u32::try_from(mib(most)).unwrap_or(u32::MAX),
            });
        }
        // A fifth is for those who come last.
        let left = (most - most / 5).saturating_sub(used);
        let bytes = PLENTY.min(left / 4).max(least);
        shares.insert(owner.clone(), used + bytes);
        Ok(Share { owner, bytes, shares: self.clone() })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut shares = self.shares.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever has none left is forgotten.
        match shares.get_mut(&self.owner) {
            Some(used) if *used > self.bytes => *used -= self.bytes,
            _ => {
                shares.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_captures_share_what_one_user_may_have() {
        let shares = Shares::default();
        let (alice, most) = (Owner::Local(1), 80 << 20);
        let all: Vec<Share> = (0..16).map(|_| shares.take(alice.clone(), 1, most).unwrap()).collect();
        assert_eq!(all[0].bytes(), 16 << 20, "the first has plenty");
        assert!(all.iter().map(|share| share.bytes).sum::<u64>() <= most);
        assert!(shares.take(alice.clone(), 64, most).is_err(), "no room for 64 interfaces beside them");
        assert!(shares.take(Owner::Local(2), 64, most).is_ok(), "another user has room");
        drop(all);
        assert!(shares.0.lock().unwrap().is_empty());
        assert_eq!(shares.take(alice, 64, most).unwrap().bytes(), 64 << 20);
    }
}
