//! What a picture says of a cable, and of what leaves an interface.

use netlab_proto::v1::{Impair, Link};

/// A few words, none where it is as cables are.
pub(super) fn note(link: &Link) -> String {
    let down = (link.up == Some(false)).then(|| "down".to_owned());
    let impaired = link.impair.as_ref().map(words).filter(|words| !words.is_empty());
    down.into_iter().chain(impaired).collect::<Vec<_>>().join(", ")
}

/// The most of an impairment that one reads at a glance: `20ms ±2ms, 0.5% lost, 10mbit`.
pub(super) fn words(impair: &Impair) -> String {
    let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let share = |text: &str, what: &str| (!text.is_empty()).then(|| format!("{text} {what}"));
    let jitter = if impair.jitter.is_empty() { String::new() } else { format!(" ±{}", impair.jitter) };
    let parts = [
        said(&impair.preset),
        said(&format!("{}{jitter}", impair.delay)),
        share(&impair.loss, "lost"),
        share(&impair.duplicate, "twice"),
        share(&impair.corrupt, "corrupt"),
        share(&impair.reorder, "reordered"),
        said(&impair.rate),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
