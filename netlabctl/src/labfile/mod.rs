//! The lab file: YAML or JSON, read so that every fault is told with its line and column, also those
//! that only the daemon can see.

pub(crate) mod expand;
pub(crate) mod fault;
mod foreign;
mod include;
mod keys;
mod locate;
mod scan;
#[cfg(test)]
mod tests;
pub(crate) mod tree;
pub(crate) mod walk;

use std::{
    fs::File,
    io::{self, Read as _},
    mem,
    path::Path,
    rc::Rc,
    str,
};

use netlab_proto::{FILE_DESCRIPTOR_SET, v1::Lab};
use prost_reflect::{DescriptorPool, MessageDescriptor};
use tonic::Status;
use tonic_types::StatusExt as _;

use crate::{
    client::Unknown,
    error::{FAILED, Failure, USAGE, exit_code},
    version,
};
use expand::Setting;
use fault::Fault;
pub(crate) use include::place;
use tree::Node;

/// Largest lab file in bytes.
pub(crate) const LARGEST: u64 = 8 << 20;

/// A lab file that was read without a fault.
#[derive(Debug)]
pub(crate) struct LabFile {
    /// The lab as the file describes it.
    pub(crate) lab: Lab,
    /// Names of the file and of those that it includes.
    names: Vec<String>,
    /// The flat lab, which knows where in the files its parts come from.
    root: Rc<Node>,
    /// Whether `lab.name` is not the file's.
    renamed: bool,
}

impl LabFile {
    /// Reads a file, and gives its parameters values; `-` is the standard input.
    ///
    /// # Errors
    /// Every fault of the file, exit code 2.
    pub(crate) fn read(path: &str, settings: &[Setting]) -> Result<Self, Failure> {
        let (name, bytes) = if path == "-" {
            ("stdin", limited(io::stdin().lock()))
        } else {
            (path, File::open(path).and_then(limited))
        };
        let bytes = bytes.map_err(|error| Failure::new(USAGE, format!("{name}: {error}")))?;
        let folder = if path == "-" { Some(Path::new("")) } else { Path::new(path).parent() };
        Self::parse_in(name, &bytes, folder, settings).map_err(|lines| Failure::file(USAGE, &lines))
    }

    /// The same for what was read already, and can include nothing.
    ///
    /// # Errors
    /// Every fault, a line each.
    pub(crate) fn parse(name: &str, bytes: &[u8]) -> Result<Self, Vec<String>> {
        Self::parse_in(name, bytes, None, &[])
    }

    /// The same with the folder of what it includes.
    pub(crate) fn parse_in(
        name: &str,
        bytes: &[u8],
        folder: Option<&Path>,
        settings: &[Setting],
    ) -> Result<Self, Vec<String>> {
        let mut names = vec![name.to_owned()];
        let mut faults = Vec::new();
        match Self::tree(bytes, folder, settings, &mut names, &mut faults) {
            Some((root, lab)) if faults.is_empty() => Ok(Self { lab, names, root, renamed: false }),
            _ => Err(fault::lines(&names, faults)),
        }
    }

    fn tree(
        bytes: &[u8],
        folder: Option<&Path>,
        settings: &[Setting],
        names: &mut Vec<String>,
        faults: &mut Vec<Fault>,
    ) -> Option<(Rc<Node>, Lab)> {
        let text = decode(bytes).map_err(|fault| faults.push(fault)).ok()?;
        let written = match tree::read(text, 0, faults) {
            Ok(root) => root,
            Err(fault) => {
                faults.push(fault);
                let seen = mem::take(faults);
                *faults = foreign::text(text).map_or_else(|| scan::better(text, seen), |known| vec![known]);
                return None;
            }
        };
        let mut reader = include::Reader::new(names, faults);
        let whole = reader.resolve(&written, folder);
        if reader.broken {
            return None;
        }
        let root = expand::flat(&whole, settings, names, faults);
        let message = walk::message(&root, &lab_descriptor(), faults);
        if !faults.is_empty() {
            let known = foreign::mapping(&written).or_else(|| foreign::text(text));
            let seen = mem::take(faults);
            *faults = known.map_or_else(|| scan::better(text, seen), |known| vec![known]);
            return None;
        }
        let lab = message.transcode_to().map_err(|error| faults.push(walk::whole(error.to_string()))).ok()?;
        Some((root, lab))
    }

    /// The flat lab as YAML, with comments that say where each part comes from.
    pub(crate) fn flat(&self) -> String {
        expand::print(&self.root, &self.names)
    }

    /// Gives the lab another name, if there is one to give.
    pub(crate) fn rename(&mut self, name: Option<&str>) {
        if let Some(name) = name {
            name.clone_into(&mut self.lab.name);
            self.renamed = true;
        }
    }

    /// Tells the daemon's refusal by the file's lines; `None` if it names no field.
    pub(crate) fn explain(&self, status: &Status) -> Option<Failure> {
        let request = status.get_details_bad_request()?;
        // A name that was given here is on no line of the file.
        let (given, others): (Vec<_>, Vec<_>) =
            request.field_violations.into_iter().partition(|fault| self.renamed && fault.field == "name");
        let faults: Vec<Fault> =
            others.into_iter().map(|fault| self.place(&fault.field, fault.description)).collect();
        let mut lines: Vec<String> =
            given.into_iter().map(|fault| format!("netlabctl: --name: {}", fault.description)).collect();
        lines.extend(fault::lines(&self.names, faults));
        (!lines.is_empty()).then(|| Failure::file(exit_code(status), &lines))
    }

    /// A warning of the daemon about a field, in one line with its place.
    pub(crate) fn warning(&self, path: &str, message: &str) -> String {
        fault::lines(&self.names, vec![self.place(path, message.to_owned())]).join("; ")
    }

    /// Refuses what an older daemon would leave out of a request that holds this lab as `lab`.
    pub(crate) fn refuse(&self, unknown: &Unknown) -> Failure {
        let message = version::does_not_know(&unknown.version);
        let (ours, others): (Vec<_>, Vec<_>) =
            unknown.paths.iter().partition(|path| path.starts_with("lab."));
        let faults = ours
            .iter()
            .map(|path| {
                let (place, _) = locate::locate(&self.root, path.trim_start_matches("lab."));
                place.fault(message.clone())
            })
            .collect();
        let mut failure = Failure::file(FAILED, &fault::lines(&self.names, faults));
        failure.lines.extend(others.iter().map(|path| format!("netlabctl: {path}: {message}")));
        failure
    }

    /// A fault of the daemon at its line. What the file does not hold, is named: "is missing" alone
    /// would not tell what.
    fn place(&self, path: &str, message: String) -> Fault {
        match locate::locate(&self.root, path) {
            (place, "") => place.fault(message),
            (place, rest) => place.fault(format!("{rest}: {message}")),
        }
    }
}

/// The descriptor of `netlab.v1.Lab`.
pub(crate) fn lab_descriptor() -> MessageDescriptor {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET)
        .ok()
        .and_then(|pool| pool.get_message_by_name("netlab.v1.Lab"))
        .expect("the descriptors were made together with this program")
}

fn limited(input: impl io::Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> Result<&str, Fault> {
    if bytes.len() as u64 > LARGEST {
        return Err(walk::whole(format!("larger than {} MiB, the most that is read", LARGEST >> 20)));
    }
    let text = str::from_utf8(bytes).map_err(|error| {
        let good = error.valid_up_to();
        let before = String::from_utf8_lossy(&bytes[..good]);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let message = format!("not UTF-8 at byte {good} (0x{:02x}); save it as UTF-8", bytes[good]);
        Fault::new(fault::Position { file: 0, line, column }, message)
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    scan::refused(text).map_or(Ok(text), Err)
}
