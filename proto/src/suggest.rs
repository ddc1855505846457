//! "Did you mean" for misspelt names.

/// Longest text that is compared with names, in bytes.
const LONGEST: usize = 64;

/// The name nearest to `word`, if one is near enough to be what was meant: no more than a third of its characters is
/// wrong, and some are right.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    let length = word.chars().count();
    names
        .map(|name| (strsim::osa_distance(word, name), name))
        .filter(|(distance, name)| {
            let (shorter, longer) = (name.chars().count().min(length), name.chars().count().max(length));
            (1..=(longer / 3).max(1)).contains(distance) && *distance < shorter
        })
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_a_slip_of_the_finger_and_nothing_else() {
        let names = || ["addresses", "mtu", "mac", "a"].into_iter();
        assert_eq!(nearest("adresses", names()), Some("addresses"));
        assert_eq!(nearest("mtv", names()), Some("mtu"));
        assert_eq!(nearest("gateway", names()), None);
        assert_eq!(nearest("mtu", names()), None, "the name itself is not misspelt");
        assert_eq!(nearest("b", names()), None, "nothing of it is right");
    }
}
