//! Text of others that is shown to people: of lab files, of who is root in a lab.

/// Whether a character does not show what it is: it steers a terminal (C0, DEL, C1), is invisible, or turns
/// round the order of what stands beside it. Those of Unicode's category Cf and its like that fonts do not
/// draw: soft hyphen, zero-width and bidirectional marks, line and paragraph separators, fillers, tags.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}' | '\u{1160}'
            | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Text with what [`is_hidden`] written out: `\u{202e}`.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_show_is_written_out() {
        assert_eq!(
            visible("a\u{202e}b\u{9b}\u{7f}\n\u{200b}ü日"),
            "a\\u{202e}b\\u{9b}\\u{7f}\\u{a}\\u{200b}ü日"
        );
    }
}
