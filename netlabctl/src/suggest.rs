//! "Did you mean" for misspelt names.

/// The name nearest to `word`, if one is near enough to be what was meant.
pub(crate) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 64 {
        return None;
    }
    names
        .map(|name| (strsim::osa_distance(word, name), name))
        .filter(|(distance, name)| {
            (1..=(name.chars().count().max(word.chars().count()) / 3).max(1)).contains(distance)
        })
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_a_slip_of_the_finger_and_nothing_else() {
        let names = || ["addresses", "mtu", "mac"].into_iter();
        assert_eq!(nearest("adresses", names()), Some("addresses"));
        assert_eq!(nearest("mtv", names()), Some("mtu"));
        assert_eq!(nearest("gateway", names()), None);
        assert_eq!(nearest("mtu", names()), None, "the name itself is not misspelt");
    }
}
