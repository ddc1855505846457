//! What is not fit to stand in any lab file: characters that end, hide or turn round text.

use netlab_proto::text::is_hidden;

use super::fault::{Fault, Position};

/// The first character that readers do not see as it is: a control character but tab and line ends, one that
/// changes the direction of text (Unicode's "Trojan source"), or ends a line for some readers only. A parser may
/// take NUL for the end of the file, and what follows is then not read.
pub(super) fn refused(text: &str) -> Option<Fault> {
    let refused = |c: char| {
        !matches!(c, '\t' | '\n' | '\r')
            && (c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'))
    };
    let (at, found) = text.char_indices().find(|(_, c)| refused(*c))?;
    let rest = &text[at..];
    let message = match found {
        '\0' if rest.bytes().all(|b| b == 0) => {
            "the file ends with NUL bytes: it was cut off, as by a crash; write it again".to_owned()
        }
        '\0' => "a NUL byte, which would hide what follows; leave it out".to_owned(),
        '\u{2028}' | '\u{2029}' => {
            format!("{} ends a line for some readers only; leave it out", named(found))
        }
        '\u{feff}' => format!("{}, a byte order mark, can stand at the beginning only", named(found)),
        c if c.is_control() => format!("{}, a control character; leave it out", named(found)),
        _ => format!("{} turns round the order in which text is shown; leave it out", named(found)),
    };
    Some(Fault::new(position(text, at), message))
}

/// A text with faults: what in it looks like something else than it is, and so is the likely cause. Once
/// something is found, the faults from there on follow from it.
pub(super) fn better(text: &str, mut faults: Vec<Fault>) -> Vec<Fault> {
    let hints: Vec<Fault> = lines(text).filter_map(|(at, line)| strange(text, at, line)).take(100).collect();
    if let Some(first) = hints.first() {
        let from = Position { column: 1, ..first.at };
        faults.retain(|fault| fault.at < from && fault.at != Position::START);
    }
    faults.extend(hints);
    faults
}

/// What is wrong with a word that is not quoted and begins with a space that is none to YAML.
pub(super) fn strange_beginning(word: &str) -> Option<String> {
    let first = word.chars().next().filter(|c| is_strange_space(*c))?;
    Some(format!("{} is no space that YAML knows; indent with plain spaces", named(first)))
}

/// Spaces of other kinds (Unicode's Zs), and what cannot be seen at all.
fn is_strange_space(c: char) -> bool {
    c != ' ' && c != '\t' && (c.is_whitespace() || is_hidden(c))
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |at, line| {
        let begin = *at;
        *at += line.len();
        Some((begin, line.trim_end_matches(['\n', '\r'])))
    })
}

fn strange(text: &str, at: usize, line: &str) -> Option<Fault> {
    let fault = |offset: usize, message: String| Some(Fault::new(position(text, at + offset), message));
    let space = is_strange_space;
    let content = line.find(|c: char| c != ' ' && c != '\t' && !space(c)).unwrap_or(line.len());
    if let Some((offset, c)) = line[..content].char_indices().find(|(_, c)| space(*c)) {
        return fault(offset, format!("{} is no space that YAML knows; indent with plain spaces", named(c)));
    }
    let word = &line[content..];
    if word.starts_with("//") || word.starts_with("/*") {
        return fault(content, "a comment begins with #".to_owned());
    }
    if word.starts_with('#') || line.contains(':') {
        return None;
    }
    let colon = line.find(['\u{ff1a}', '\u{fe55}', '\u{a789}'])?;
    let c = line[colon..].chars().next()?;
    fault(colon, format!("{} is no colon; write a plain one and a space", named(c)))
}

/// A character for a message: its number, and itself where that shows something.
fn named(c: char) -> String {
    let number = format!("U+{:04X}", u32::from(c));
    if is_hidden(c) || c.is_whitespace() { number } else { format!("{number} \"{c}\"") }
}

fn position(text: &str, at: usize) -> Position {
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Position { file: 0, line, column }
}
