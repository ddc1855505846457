//! What a picture says of a cable.

use netlab_proto::v1::Link;

/// A few words, none where it is as cables are.
pub(super) fn note(link: &Link) -> String {
    if link.up == Some(false) { "down".to_owned() } else { String::new() }
}
