//! From the tree to the message, by the message's own descriptor: the file's keys are the proto's.

use std::{collections::HashMap, ops::RangeInclusive, str::FromStr};

use netlab_proto::suggest::nearest;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value as Field};

use super::{
    fault::{Fault, Position},
    keys,
    tree::{Entry, Node, Value, is_null},
};

/// Builds a message from a value of the file; everything that does not fit goes to `faults`.
pub(crate) fn message(node: &Node, kind: &MessageDescriptor, faults: &mut Vec<Fault>) -> DynamicMessage {
    let before = faults.len();
    let message = fields(node, kind, faults);
    if let Some(member) = &node.member {
        faults[before..].iter_mut().for_each(|fault| fault.of(member));
    }
    message
}

fn fields(node: &Node, kind: &MessageDescriptor, faults: &mut Vec<Fault>) -> DynamicMessage {
    let mut message = DynamicMessage::new(kind.clone());
    let entries = match &node.value {
        Value::Map(entries) => entries.as_slice(),
        // `ns1:` with nothing after it is a node without anything of its own.
        Value::Scalar { text, plain: true } if is_null(text) => &[],
        _ => {
            let name = kind.name().to_lowercase();
            faults.push(Fault::new(node.at, format!("expected a mapping ({name}), found {}", show(node))));
            &[]
        }
    };
    let mut chosen: HashMap<String, &Entry> = HashMap::new();
    for entry in entries {
        let Some(field) = kind.get_field_by_name(&entry.key) else {
            faults.push(Fault::new(entry.at, unknown(&entry.key, kind)));
            continue;
        };
        if let Some(choice) = field.containing_oneof()
            && let Some(other) = chosen.insert(choice.full_name().to_owned(), entry)
        {
            let message = format!("{:?} and {:?} exclude each other: keep one", other.key, entry.key);
            faults.push(Fault::new(entry.at, message));
            continue;
        }
        if let Some(value) = value(&entry.node, &field, faults) {
            message.set_field(&field, value);
        }
    }
    message
}

fn unknown(key: &str, kind: &MessageDescriptor) -> String {
    let fields: Vec<FieldDescriptor> = kind.fields().collect();
    let more = keys::of(kind.name());
    let names = || fields.iter().map(FieldDescriptor::name).chain(more.iter().copied());
    if let Some(near) = nearest(key, names()) {
        return format!("unknown field {key:?}, did you mean {near:?}?");
    }
    if fields.is_empty() {
        return format!("unknown field {key:?}: nothing can be set here");
    }
    format!("unknown field {key:?}; known here: {}", names().collect::<Vec<_>>().join(", "))
}

fn value(node: &Node, field: &FieldDescriptor, faults: &mut Vec<Fault>) -> Option<Field> {
    let nothing = matches!(&node.value, Value::Scalar { text, plain: true } if is_null(text));
    if field.is_map() {
        let Kind::Message(pair) = field.kind() else { return None };
        let Value::Map(entries) = &node.value else {
            if !nothing {
                mismatch(node, field, "a mapping of names", faults);
            }
            return None;
        };
        let values = pair.map_entry_value_field();
        let pairs = entries.iter().filter_map(|entry| {
            Some((MapKey::String(entry.key.clone()), single(&entry.node, &values, &entry.key, faults)?))
        });
        return Some(Field::Map(pairs.collect()));
    }
    if field.is_list() {
        let Value::List(items) = &node.value else {
            if !nothing {
                mismatch(node, field, "a list", faults);
            }
            return None;
        };
        let items = items.iter().filter_map(|item| single(item, field, field.name(), faults));
        return Some(Field::List(items.collect()));
    }
    single(node, field, field.name(), faults)
}

fn mismatch(node: &Node, field: &FieldDescriptor, expected: &str, faults: &mut Vec<Fault>) {
    faults.push(wrong(node, field.name(), expected));
}

fn wrong(node: &Node, name: &str, expected: &str) -> Fault {
    Fault::new(node.at, format!("{name}: expected {expected}, found {}", show(node)))
}

/// One value: of a single field, of a list's item or of a map's entry.
fn single(node: &Node, field: &FieldDescriptor, name: &str, faults: &mut Vec<Fault>) -> Option<Field> {
    let result = match field.kind() {
        Kind::Message(kind) => return Some(Field::Message(message(node, &kind, faults))),
        Kind::String => text(node, name).map(Field::String),
        Kind::Bool => truth(node, name).map(Field::Bool),
        Kind::Uint32 => number(node, name, u32::MIN..=u32::MAX).map(Field::U32),
        Kind::Uint64 => number(node, name, u64::MIN..=u64::MAX).map(Field::U64),
        kind => Err(Fault::new(node.at, format!("{name}: a {kind:?} cannot stand in a lab file"))),
    };
    result.map_err(|fault| faults.push(fault)).ok()
}

/// Text: any word as it is written, so `name: 123` and `name: no` need no quotes.
fn text(node: &Node, name: &str) -> Result<String, Fault> {
    match &node.value {
        Value::Scalar { text, plain: true } if is_null(text) => Err(wrong(node, name, "text")),
        Value::Scalar { text, .. } => Ok(text.clone()),
        Value::Map(entries) => match entries.as_slice() {
            // `[a: eth0]` is a list of one mapping.
            [Entry { key, node: value, .. }] if matches!(&value.value, Value::Scalar { .. }) => {
                let Value::Scalar { text, .. } = &value.value else { return Err(wrong(node, name, "text")) };
                let message =
                    format!("{name}: expected text, found a mapping; write {:?}", format!("{key}:{text}"));
                Err(Fault::new(node.at, message))
            }
            _ => Err(wrong(node, name, "text")),
        },
        Value::List(_) => Err(wrong(node, name, "text")),
    }
}

fn truth(node: &Node, name: &str) -> Result<bool, Fault> {
    match &node.value {
        Value::Scalar { text, plain: true } if is_true(text) => Ok(true),
        Value::Scalar { text, plain: true } if is_false(text) => Ok(false),
        _ => Err(wrong(node, name, "true or false")),
    }
}

fn number<T>(node: &Node, name: &str, range: RangeInclusive<T>) -> Result<T, Fault>
where
    T: FromStr + std::fmt::Display + TryFrom<i128>,
{
    let Value::Scalar { text, plain: true } = &node.value else {
        return Err(wrong(node, name, "a whole number"));
    };
    let digits = text.trim_start_matches(['+', '-']);
    if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()) {
        let number = digits.trim_start_matches('0');
        let number = if number.is_empty() { "0" } else { number };
        let message =
            format!("{name}: {text} begins with 0, which some programs read as octal; write {number}");
        return Err(Fault::new(node.at, message));
    }
    let Some(value) = integer(text) else { return Err(wrong(node, name, "a whole number")) };
    T::try_from(value).map_err(|_| {
        let message = format!("{name}: {text} is out of range, {} to {}", range.start(), range.end());
        Fault::new(node.at, message)
    })
}

/// A whole number as YAML 1.2 writes it: decimal, `0x` or `0o`. One too long for any field is given
/// as the largest.
pub(crate) fn integer(text: &str) -> Option<i128> {
    let (digits, radix) = match text.get(..2) {
        Some("0x") => (&text[2..], 16),
        Some("0o") => (&text[2..], 8),
        _ => (text, 10),
    };
    let unsigned = if radix == 10 { digits.trim_start_matches(['+', '-']) } else { digits };
    if digits.len() - unsigned.len() > 1
        || unsigned.is_empty()
        || !unsigned.chars().all(|digit| digit.is_digit(radix))
    {
        return None;
    }
    Some(i128::from_str_radix(digits, radix).unwrap_or(i128::MAX))
}

pub(crate) fn is_true(text: &str) -> bool {
    matches!(text, "true" | "True" | "TRUE")
}

pub(crate) fn is_false(text: &str) -> bool {
    matches!(text, "false" | "False" | "FALSE")
}

/// What a value looks like, for an error.
pub(crate) fn show(node: &Node) -> String {
    match &node.value {
        Value::Map(_) => "a mapping".to_owned(),
        Value::List(_) => "a list".to_owned(),
        Value::Scalar { text, plain: true } if is_null(text) => "nothing".to_owned(),
        Value::Scalar { text, plain: true } if is_true(text) || is_false(text) => text.clone(),
        Value::Scalar { text, plain: true } if text.parse::<f64>().is_ok() => format!("the number {text}"),
        Value::Scalar { text, .. } if text.chars().count() > 60 => {
            format!("the text {:?}...", text.chars().take(60).collect::<String>())
        }
        Value::Scalar { text, .. } => format!("the text {text:?}"),
    }
}

/// Where the whole file is at fault.
pub(crate) fn whole(message: impl Into<String>) -> Fault {
    Fault::new(Position::START, message)
}
