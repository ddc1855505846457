//! Counting what is in use, by whom.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// How much of something each of many has in use. Clones share the counts.
#[derive(Debug)]
pub struct Counters<K>(Arc<Mutex<HashMap<K, u32>>>);

impl<K> Default for Counters<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K> Clone for Counters<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Eq + Hash + Clone> Counters<K> {
    /// One more for `key`, until the result is dropped; `None` if it has `limit` already.
    pub fn take(&self, key: K, limit: u32) -> Option<Held<K>> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.get(&key).copied().unwrap_or(0);
        if count >= limit {
            return None;
        }
        counts.insert(key.clone(), count + 1);
        Some(Held { key, counters: self.clone() })
    }

    /// How many are in use by all those that `which` picks.
    pub fn in_use(&self, which: impl Fn(&K) -> bool) -> u64 {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().filter(|(key, _)| which(key)).map(|(_, count)| u64::from(*count)).sum()
    }
}

/// One of something in use. Dropping it gives it back.
#[derive(Debug)]
pub struct Held<K: Eq + Hash + Clone> {
    key: K,
    counters: Counters<K>,
}

impl<K: Eq + Hash + Clone> Drop for Held<K> {
    fn drop(&mut self) {
        let mut counts = self.counters.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever has none left is forgotten, so that the map stays as small as what is in use.
        match counts.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_given_back() {
        let counters = Counters::default();
        let first = counters.take("a", 2).unwrap();
        let second = counters.take("a", 2).unwrap();
        assert!(counters.take("a", 2).is_none(), "two are in use");
        let other = counters.take("b", 1).unwrap();
        assert_eq!((counters.in_use(|_| true), counters.in_use(|key| *key == "a")), (3, 2));
        drop(other);
        drop(first);
        assert!(counters.take("a", 2).is_some());
        drop(second);
        assert!(counters.0.lock().unwrap().is_empty());
        assert!(counters.take("a", 0).is_none(), "none are allowed");
    }
}
