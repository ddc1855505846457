//! "Did you mean" for misspelt names.

/// Longest text that is compared with names, in bytes.
const LONGEST: usize = 64;

/// The name nearest to `text`, if one is near enough to be what was meant.
pub(crate) fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if text.len() > LONGEST {
        return None;
    }
    names
        .map(|name| (strsim::osa_distance(text, name), name))
        .filter(|(distance, name)| {
            *distance <= (name.len() / 3).max(1) && *distance < name.len().min(text.len())
        })
        .min()
        .map(|(_, name)| name)
}
