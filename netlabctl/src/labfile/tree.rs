//! From text to a tree of values that know where they stand.

use std::{
    collections::{HashMap, hash_map},
    rc::Rc,
};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput};

use super::{
    fault::{Fault, Position},
    scan,
};

/// Most values of a lab file, those that aliases repeat included: a few anchors that hold each other
/// ("YAML bomb") could otherwise stand for billions.
pub(crate) const MOST_VALUES: usize = 1_000_000;

/// Deepest nesting; the deepest key of a lab file is 7 deep.
const DEEPEST: usize = 32;

/// A value of the file.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Where it begins.
    pub(crate) at: Position,
    /// What it is.
    pub(crate) value: Value,
    /// Values in it, itself included, aliases counted as what they stand for.
    size: usize,
    /// Which of the things it is that one line of the file stands for.
    pub(crate) member: Option<Rc<str>>,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// Text, a number, a truth value or nothing: the schema decides. `plain` if it is not quoted.
    Scalar { text: String, plain: bool },
    /// A list.
    List(Vec<Rc<Node>>),
    /// A mapping, in the file's order, each key once.
    Map(Vec<Entry>),
}

impl Node {
    /// A value that something in the file at `at` stands for.
    pub(crate) fn new(at: Position, value: Value) -> Self {
        Self { at, value, size: 1, member: None }
    }

    /// Another value in the place of this one.
    pub(crate) fn with(&self, value: Value) -> Rc<Self> {
        Rc::new(Self { at: self.at, value, size: 1, member: self.member.clone() })
    }

    /// Text, or a number or truth value, in the place of what stands at `at`.
    pub(crate) fn text(at: Position, text: impl Into<String>) -> Rc<Self> {
        Rc::new(Self::new(at, Value::Scalar { text: text.into(), plain: true }))
    }

    /// The keys of a mapping, none of anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            Value::List(_) | Value::Scalar { .. } => &[],
        }
    }

    /// The items of a list, none of anything else.
    pub(crate) fn items(&self) -> &[Rc<Self>] {
        match &self.value {
            Value::List(items) => items,
            Value::Map(_) | Value::Scalar { .. } => &[],
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Rc<Self>> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The text of one word.
    pub(crate) fn word(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, plain } if !plain || !is_null(text) => Some(text),
            _ => None,
        }
    }

    /// Whether nothing follows the key.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if is_null(text))
    }
}

/// A key of a mapping and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The key's text.
    pub(crate) key: String,
    /// Where the key is.
    pub(crate) at: Position,
    /// Its value.
    pub(crate) node: Rc<Node>,
}

/// Reads one YAML (or JSON) document. Doubled keys and the like go to `faults` and reading goes on;
/// what makes the rest unreadable is the error. `file` is what its places say.
pub(crate) fn read(text: &str, file: u16, faults: &mut Vec<Fault>) -> Result<Rc<Node>, Fault> {
    let mut reader =
        Reader { parser: Parser::new_from_str(text), file, anchors: HashMap::new(), values: 0, faults };
    reader.document()
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    file: u16,
    anchors: HashMap<usize, Rc<Node>>,
    values: usize,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Rc<Node>, Fault> {
        let root = loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) => {}
                Event::StreamEnd => return Err(Fault::new(self.start(), "the file is empty")),
                event => break self.node(event, span, 0)?,
            }
        };
        // `---` alone, or the word.
        if matches!(&root.value, Value::Scalar { text, plain: true } if is_null(text)) {
            return Err(Fault::new(self.start(), "the file is empty"));
        }
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root),
                Event::DocumentStart(_) => {
                    let message = "a second document begins here; a lab file holds one lab";
                    return Err(Fault::new(self.position(&span.start), message));
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Fault> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => {
                let message = format!("not YAML: {}", error.info());
                Err(Fault::new(self.position(error.marker()), message))
            }
            None => Err(Fault::new(self.start(), "the file ends too early")),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Rc<Node>, Fault> {
        let at = self.position(&span.start);
        if depth > DEEPEST {
            return Err(Fault::new(at, format!("nested more than {DEEPEST} deep")));
        }
        self.count(1, at)?;
        let (value, size, anchor) = match event {
            Event::Alias(anchor) => return self.alias(anchor, at),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), at);
                let plain = style == ScalarStyle::Plain;
                (Value::Scalar { text: text.into_owned(), plain }, 1, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), at);
                let (items, size) = self.list(depth)?;
                (Value::List(items), size, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), at);
                let (entries, size) = self.map(depth)?;
                (Value::Map(entries), size, anchor)
            }
            _ => return Err(Fault::new(at, "the file ends too early")),
        };
        let node = Rc::new(Node { at, value, size, member: None });
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<(Vec<Rc<Node>>, usize), Fault> {
        let mut items = Vec::new();
        let mut size = 1;
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok((items, size));
            }
            let item = self.node(event, span, depth + 1)?;
            size += item.size;
            items.push(item);
        }
    }

    fn map(&mut self, depth: usize) -> Result<(Vec<Entry>, usize), Fault> {
        let mut entries = Vec::new();
        let mut seen: HashMap<String, Position> = HashMap::new();
        let mut size = 1;
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok((entries, size));
            }
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth + 1)?;
            size += node.size + 1;
            let Value::Scalar { text, plain } = &key.value else {
                self.fault(key.at, "a key must be a plain word, not a list or a mapping");
                continue;
            };
            if *plain && let Some(strange) = scan::strange_beginning(text) {
                self.fault(key.at, strange);
                continue;
            }
            if *plain && text == "<<" {
                self.fault(key.at, "merge keys (<<) are not understood; write the keys out");
                continue;
            }
            match seen.entry(text.clone()) {
                hash_map::Entry::Occupied(first) => {
                    let message = format!("{text:?} is here twice, first on line {}", first.get().line);
                    self.fault(key.at, message);
                }
                hash_map::Entry::Vacant(free) => {
                    free.insert(key.at);
                    entries.push(Entry { key: text.clone(), at: key.at, node });
                }
            }
        }
    }

    fn alias(&mut self, anchor: usize, at: Position) -> Result<Rc<Node>, Fault> {
        let Some(node) = self.anchors.get(&anchor).map(Rc::clone) else {
            return Err(Fault::new(at, "an alias cannot stand inside the value that it repeats"));
        };
        self.count(node.size, at)?;
        Ok(node)
    }

    fn count(&mut self, more: usize, at: Position) -> Result<(), Fault> {
        self.values = self.values.saturating_add(more);
        if self.values > MOST_VALUES {
            let message = format!("more than {MOST_VALUES} values, aliases written out; split the lab");
            return Err(Fault::new(at, message));
        }
        Ok(())
    }

    fn refuse_tag(&mut self, tagged: bool, at: Position) {
        if tagged {
            self.fault(at, "tags (!, !!) are not understood; leave it out");
        }
    }

    fn fault(&mut self, at: Position, message: impl Into<String>) {
        self.faults.push(Fault::new(at, message));
    }

    fn start(&self) -> Position {
        Position { file: self.file, ..Position::START }
    }

    fn position(&self, marker: &Marker) -> Position {
        Position { file: self.file, line: marker.line().max(1), column: marker.col() + 1 }
    }
}

/// Whether a word that is not quoted stands for nothing.
pub(crate) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}
