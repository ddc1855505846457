//! `{1}`, `{2}` and `{NAME}` in texts and keys, replaced by what they stand for.

use std::{collections::HashMap, rc::Rc};

use crate::labfile::{
    fault::Fault,
    tree::{Entry, MOST_VALUES, Node, Value},
};

/// What a word in braces stands for: `None` is no word of ours, and stays.
pub(super) type Words<'a> = &'a dyn Fn(&str) -> Result<Option<String>, String>;

/// The values of a name's ranges.
///
/// # Errors
/// If there is no such range.
pub(super) fn of_values(values: &[String], word: &str) -> Result<Option<String>, String> {
    if !word.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    let value = word.parse::<usize>().ok().and_then(|number| values.get(number.checked_sub(1)?));
    value.map(|value| Some(value.clone())).ok_or_else(|| {
        let ranges = match values.len() {
            0 => "no range".to_owned(),
            1 => "one range".to_owned(),
            several => format!("{several} ranges"),
        };
        format!("{{{word}}} stands for nothing: the name has {ranges}")
    })
}

/// Replaces the words of a text; `None` if it has none.
///
/// # Errors
/// What is wrong with a word.
pub(super) fn text(text: &str, words: Words<'_>) -> Result<Option<String>, String> {
    let mut out = String::new();
    let mut rest = text;
    let mut changed = false;
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        out.push_str(before);
        let word = after[1..].split_once('}').map(|(word, _)| word).filter(|word| is_word(word));
        let value = word.map_or(Ok(None), words)?;
        if let (Some(word), Some(value)) = (word, value) {
            out.push_str(&value);
            changed = true;
            rest = &after[word.len() + 2..];
        } else {
            out.push('{');
            rest = &after[1..];
        }
    }
    out.push_str(rest);
    Ok(changed.then_some(out))
}

fn is_word(word: &str) -> bool {
    !word.is_empty()
        && word.len() <= 40
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// Whether there may be a word in a value.
pub(super) fn mentions(node: &Node) -> bool {
    match &node.value {
        Value::Scalar { text, .. } => text.contains('{'),
        Value::List(items) => items.iter().any(|item| mentions(item)),
        Value::Map(entries) => entries.iter().any(|entry| entry.key.contains('{') || mentions(&entry.node)),
    }
}

/// Replaces words in whole values, of so many in all that a small file cannot fill the memory.
pub(super) struct Filler {
    left: usize,
}

impl Filler {
    pub(super) fn new() -> Self {
        Self { left: MOST_VALUES }
    }

    /// A value with its words replaced.
    pub(super) fn fill(&mut self, node: &Rc<Node>, words: Words<'_>, faults: &mut Vec<Fault>) -> Rc<Node> {
        if !mentions(node) {
            return Rc::clone(node);
        }
        if self.left == 0 {
            return Rc::clone(node);
        }
        self.left -= 1;
        if self.left == 0 {
            let message = format!("this stands for more than {MOST_VALUES} values; split the lab");
            faults.push(Fault::new(node.at, message));
        }
        let value = match &node.value {
            Value::Scalar { text: old, plain } => match text(old, words) {
                Ok(Some(new)) => {
                    // A number or truth value may be one that is filled in.
                    let whole = old.starts_with('{') && old.find('}') == Some(old.len() - 1);
                    Value::Scalar { text: new, plain: *plain || whole }
                }
                Ok(None) => return Rc::clone(node),
                Err(why) => {
                    faults.push(Fault::new(node.at, why));
                    return Rc::clone(node);
                }
            },
            Value::List(items) => {
                Value::List(items.iter().map(|item| self.fill(item, words, faults)).collect())
            }
            Value::Map(entries) => Value::Map(self.entries(entries, words, faults)),
        };
        node.with(value)
    }

    fn entries(&mut self, entries: &[Entry], words: Words<'_>, faults: &mut Vec<Fault>) -> Vec<Entry> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut all = Vec::new();
        for entry in entries {
            let key = match text(&entry.key, words) {
                Ok(new) => new.unwrap_or_else(|| entry.key.clone()),
                Err(why) => {
                    faults.push(Fault::new(entry.at, why));
                    continue;
                }
            };
            if let Some(line) = seen.insert(key.clone(), entry.at.line) {
                faults.push(Fault::new(entry.at, format!("{key:?} is here twice, first on line {line}")));
                continue;
            }
            all.push(Entry { key, at: entry.at, node: self.fill(&entry.node, words, faults) });
        }
        all
    }
}
