//! Parameters: values that a file declares and a command line may change.

use std::{collections::HashMap, rc::Rc};

use netlab_proto::suggest::nearest;

use super::fill::Filler;
use crate::labfile::{
    fault::{Fault, Position},
    tree::{Entry, Node, Value},
    walk::{integer, is_false, is_true, show},
};

/// A value given on the command line.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    name: String,
    value: String,
}

impl std::str::FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) =
            text.split_once('=').ok_or_else(|| "expected NAME=VALUE, such as leaves=6".to_owned())?;
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

/// What a parameter can say.
const KEYS: [&str; 5] = ["type", "default", "min", "max", "values"];

/// Words in braces that mean something else.
const RESERVED: [&str; 2] = ["n", "other"];

/// The key that declares parameters.
const PARAMETERS: &str = "parameters";

/// Replaces parameters in the whole file.
pub(super) fn fill(
    root: &Rc<Node>,
    settings: &[Setting],
    filler: &mut Filler,
    faults: &mut Vec<Fault>,
) -> Rc<Node> {
    let declared = root.get(PARAMETERS);
    if let Some(node) = declared.filter(|node| !node.is_nothing() && !matches!(node.value, Value::Map(_))) {
        faults.push(Fault::new(
            node.at,
            format!("parameters: expected a mapping of names, found {}", show(node)),
        ));
    }
    let entries = declared.map_or(&[][..], |node| node.entries());
    let mut values: HashMap<&str, String> = HashMap::new();
    for entry in entries {
        let given = settings.iter().rfind(|setting| setting.name == entry.key);
        match value(entry, given.map(|setting| setting.value.as_str())) {
            Ok(value) => _ = values.insert(&entry.key, value),
            Err((at, why)) => {
                faults.push(Fault::new(at, why));
                // What depends on it is not told too.
                let default = entry.node.get("default").and_then(|node| node.word());
                values.extend(default.map(|default| (entry.key.as_str(), default.to_owned())));
            }
        }
    }
    for setting in settings {
        let names = || entries.iter().map(|entry| entry.key.as_str());
        if !names().any(|name| name == setting.name) {
            let near = nearest(&setting.name, names());
            let hint = near.map_or("; declare it below `parameters`".to_owned(), |near| {
                format!(", did you mean {near:?}?")
            });
            let message = format!("--set {}: the file has no parameter of this name{hint}", setting.name);
            faults.push(Fault::new(declared.map_or(root.at, |node| node.at), message));
        }
    }
    if values.is_empty() {
        return Rc::clone(root);
    }
    let keys = root.entries().iter().filter(|entry| entry.key != PARAMETERS).cloned().collect();
    let rest = root.with(Value::Map(keys));
    filler.fill(&rest, &|word| Ok(values.get(word).cloned()), faults)
}

/// The value of a parameter, or what is wrong with it and where.
fn value(entry: &Entry, given: Option<&str>) -> Result<String, (Position, String)> {
    let name = &entry.key;
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let is_number = name.bytes().all(|b| b.is_ascii_digit());
    if is_number || !name.bytes().all(is_name) || name.len() > 40 || RESERVED.contains(&name.as_str()) {
        let message = format!(
            "{name:?} cannot be a parameter: choose a name of at most 40 letters and digits, not n or other"
        );
        return Err((entry.at, message));
    }
    for key in entry.node.entries() {
        if !KEYS.contains(&key.key.as_str()) {
            return Err((key.at, format!("unknown field {:?}; known here: {}", key.key, KEYS.join(", "))));
        }
    }
    let Some(default) = entry.node.get("default") else {
        let message = format!("parameter {name}: default is missing; write {{ type: number, default: 6 }}");
        return Err((entry.at, message));
    };
    let word =
        |node: &Node| node.word().map(str::to_owned).ok_or_else(|| (node.at, "expected one word".to_owned()));
    let kind = entry.node.get("type");
    let kind_word = kind.map_or(Ok("text".to_owned()), |node| word(node))?;
    let known = match kind_word.as_str() {
        "number" | "text" | "boolean" => kind_word.as_str(),
        other => {
            let message = format!("type: {other:?} is none; write number, text or boolean");
            return Err((kind.map_or(entry.at, |node| node.at), message));
        }
    };
    let default = (default.at, word(default)?);
    let check = |at: Position, value: &str, from: &str| {
        fits(entry, known, value).map_err(|why| (at, format!("{from}{why}")))
    };
    check(default.0, &default.1, "default: ")?;
    let Some(given) = given else { return Ok(default.1) };
    check(entry.at, given, &format!("--set {name}: "))?;
    Ok(given.to_owned())
}

/// Whether a value is one of the parameter's.
fn fits(entry: &Entry, kind: &str, value: &str) -> Result<(), String> {
    let bound = |key: &str| entry.node.get(key).and_then(|node| node.word()).and_then(integer);
    match kind {
        "number" => {
            let number = integer(value).ok_or_else(|| format!("expected a whole number, found {value:?}"))?;
            let (min, max) = (bound("min").unwrap_or(0), bound("max").unwrap_or(i128::from(u32::MAX)));
            if !(min..=max).contains(&number) {
                return Err(format!("{value} is out of range, {min} to {max}"));
            }
        }
        "boolean" if !is_true(value) && !is_false(value) => {
            return Err(format!("expected true or false, found {value:?}"));
        }
        _ => {}
    }
    let Some(values) = entry.node.get("values") else { return Ok(()) };
    let all: Vec<&str> = values.items().iter().filter_map(|item| item.word()).collect();
    if all.contains(&value) { Ok(()) } else { Err(format!("{value:?} is none of {}", all.join(", "))) }
}
