//! Parts of a lab file that are in other files.

use std::{fs::File, io, path::Path, rc::Rc};

use super::{
    decode,
    fault::{Fault, Position},
    limited, scan,
    tree::{self, Entry, Node, Value},
};

/// The key that names the files.
const INCLUDE: &str = "include";

/// Most files of a lab.
const MOST: usize = 100;

/// Reads files, and what they include.
pub(super) struct Reader<'a> {
    /// Names of the files so far, as their faults name them.
    pub(super) names: &'a mut Vec<String>,
    pub(super) faults: &'a mut Vec<Fault>,
    /// Files that are being read, the outermost first.
    open: Vec<String>,
    /// Whether one could not be read: what it should have held is missing everywhere then.
    pub(super) broken: bool,
}

impl<'a> Reader<'a> {
    /// Of the file whose name is the only one so far.
    pub(super) fn new(names: &'a mut Vec<String>, faults: &'a mut Vec<Fault>) -> Self {
        let open = names.clone();
        Self { names, faults, open, broken: false }
    }

    /// Puts what a file includes before its own.
    pub(super) fn resolve(&mut self, root: &Rc<Node>, folder: Option<&Path>) -> Rc<Node> {
        let Some(at) = root.entries().iter().position(|entry| entry.key == INCLUDE) else {
            return Rc::clone(root);
        };
        let mut own = root.entries().to_vec();
        let include = own.remove(at);
        let mut all = Vec::new();
        match &include.node.value {
            Value::List(items) => {
                for item in items {
                    self.one(item, folder, &mut all);
                }
            }
            _ if include.node.is_nothing() => {}
            Value::Scalar { .. } => self.one(&include.node, folder, &mut all),
            Value::Map(_) => {
                self.fault(include.node.at, "include: expected a list of files, found a mapping");
            }
        }
        self.merge(&mut all, own, true);
        root.with(Value::Map(all))
    }

    fn one(&mut self, item: &Node, folder: Option<&Path>, all: &mut Vec<Entry>) {
        let Some(name) = item.word() else {
            return self.fault(item.at, "include: expected the name of a file");
        };
        let Some(folder) = folder else {
            return self.fault(item.at, "nothing can be included here: this is no file in a folder");
        };
        let path = folder.join(name).to_string_lossy().into_owned();
        if self.open.contains(&path) {
            let message = format!("{name} includes itself: {}", self.open.join(", then "));
            return self.fault(item.at, message);
        }
        if self.names.len() > MOST {
            return self.fault(item.at, format!("more than {MOST} files are included"));
        }
        match read(&path) {
            Err(error) => {
                self.broken = true;
                self.fault(item.at, format!("{path}: {error}"));
            }
            Ok(bytes) => {
                let Some(root) = self.parse(&path, &bytes) else { return };
                self.open.push(path.clone());
                let whole = self.resolve(&root, Path::new(&path).parent());
                self.open.pop();
                self.merge(all, whole.entries().to_vec(), false);
            }
        }
    }

    fn parse(&mut self, path: &str, bytes: &[u8]) -> Option<Rc<Node>> {
        let file = u16::try_from(self.names.len()).unwrap_or(u16::MAX);
        self.names.push(path.to_owned());
        let mut faults = Vec::new();
        let root = match decode(bytes) {
            Err(fault) => {
                faults.push(fault);
                None
            }
            Ok(text) => match tree::read(text, file, &mut faults) {
                Ok(root) if matches!(root.value, Value::Map(_)) => Some(root),
                Ok(root) => {
                    faults.push(Fault::new(root.at, "expected a mapping, as a lab file is"));
                    None
                }
                Err(fault) => {
                    faults.push(fault);
                    faults = scan::better(text, faults);
                    None
                }
            },
        };
        self.broken |= root.is_none();
        self.faults.extend(faults.into_iter().map(|mut fault| {
            fault.at.file = file;
            fault
        }));
        root
    }

    /// Adds the keys of one file to those of others: names join names, lists lists, and one word stands for another if
    /// it is `nearer`, the including file's.
    fn merge(&mut self, all: &mut Vec<Entry>, more: Vec<Entry>, nearer: bool) {
        for entry in more {
            let Some(there) = all.iter_mut().find(|there| there.key == entry.key) else {
                all.push(entry);
                continue;
            };
            match (&there.node.value, &entry.node.value) {
                (Value::Map(first), Value::Map(second)) => {
                    let mut both = first.clone();
                    for inner in second {
                        if let Some(other) = first.iter().find(|other| other.key == inner.key) {
                            let at = place(self.names, other.at, inner.at);
                            let message = format!("{:?} is here twice, first on {at}", inner.key);
                            self.faults.push(Fault::new(inner.at, message));
                        } else {
                            both.push(inner.clone());
                        }
                    }
                    there.node = entry.node.with(Value::Map(both));
                }
                (Value::List(first), Value::List(second)) => {
                    let both = first.iter().chain(second).map(Rc::clone).collect();
                    there.node = entry.node.with(Value::List(both));
                }
                _ if entry.node.is_nothing() => {}
                _ if nearer || there.node.is_nothing() => *there = entry,
                _ => {}
            }
        }
    }

    fn fault(&mut self, at: Position, message: impl Into<String>) {
        self.faults.push(Fault::new(at, message));
    }
}

/// A line, with its file where that is another than that of `from`.
pub(crate) fn place(names: &[String], at: Position, from: Position) -> String {
    let file = names.get(usize::from(at.file)).filter(|_| at.file != from.file);
    let of = file.map(|file| format!(" of {file}")).unwrap_or_default();
    format!("line {}{of}", at.line)
}

fn read(path: &str) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if file.metadata()?.is_file() { limited(file) } else { Err(io::Error::other("this is no file")) }
}
