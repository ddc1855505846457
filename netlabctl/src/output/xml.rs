//! Text in XML, SVG and Mermaid.

use netlab_proto::text::{is_hidden, visible};

/// Escapes text for XML 1.0, with what XML cannot hold and what cannot be seen written out: reports are read on
/// pages of others.
pub(crate) fn escape(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\u{fffe}' | '\u{ffff}' => c.escape_unicode().to_string(),
            c if is_hidden(c) && !matches!(c, '\n' | '\t') => visible(&c.to_string()),
            c => c.to_string(),
        })
        .collect()
}
