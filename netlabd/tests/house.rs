//! Holds the house to its plan: which parts of the programs may know which, and that no two know each other.
//!
//! Read from the `use` declarations and paths that begin with `crate`, `super` or `self`. Test code may look everywhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// A module by its path in the crate: `kernel`, `rtnl`, `message`.
type Module = Vec<String>;

/// Parts that describe one thing together: what a lab is, each kind of interface, and how both are read. They are held
/// file by file.
const TOGETHER: [&str; 3] = ["input", "link", "model"];

/// What netlabd's parts must not import, though no circle comes of it: see CONTRIBUTING.md.
const FORBIDDEN: [(&str, &[&str]); 12] = [
    ("api", &["kernel"]),
    ("capture", &["api", "kernel", "reconcile"]),
    ("convert", &["api", "kernel", "plan", "platform", "policy", "reconcile", "store"]),
    ("kernel", &["api", "convert", "metrics", "reconcile", "store"]),
    ("metrics", &["api", "kernel"]),
    ("model", &["api", "convert", "kernel", "plan", "platform", "policy", "reconcile", "sandbox", "store"]),
    ("plan", &["api", "convert", "kernel", "metrics", "platform", "policy", "reconcile", "sandbox", "store"]),
    ("platform", &["api", "kernel", "reconcile", "store"]),
    ("policy", &["api", "kernel", "plan", "platform", "reconcile", "store"]),
    ("reconcile", &["api", "kernel", "metrics"]),
    ("sandbox", &["api", "kernel", "model", "plan", "platform", "policy", "reconcile"]),
    ("store", &["api", "convert", "kernel", "plan", "platform", "policy", "reconcile"]),
];

/// The imports of a crate: from each module those that it names.
struct House(BTreeMap<Module, BTreeSet<Module>>);

impl House {
    fn read(src: &Path) -> Self {
        let mut files = BTreeMap::new();
        walk(src, &[], &mut files);
        let modules: BTreeSet<Module> = files.keys().cloned().collect();
        let arrows = files.iter().map(|(module, text)| (module.clone(), imports(module, text, &modules)));
        Self(arrows.collect())
    }

    /// Which parts of the crate know which, whatever lies in them.
    fn parts(&self) -> BTreeMap<String, BTreeSet<String>> {
        let part = |module: &Module| {
            let name = module.first()?;
            Some(if TOGETHER.contains(&name.as_str()) { "model" } else { name }.to_owned())
        };
        self.arrows(part)
    }

    /// Which files know which. That a file knows the one of its folder, which declares it, is no circle.
    fn files(&self) -> BTreeMap<String, BTreeSet<String>> {
        let name = |module: &Module| Some(module.join("::"));
        let mut arrows = self.arrows(name);
        for (from, to) in &mut arrows {
            to.retain(|to| !to.is_empty() && !from.starts_with(&format!("{to}::")));
        }
        arrows
    }

    fn arrows(&self, name: impl Fn(&Module) -> Option<String>) -> BTreeMap<String, BTreeSet<String>> {
        let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, all) in &self.0 {
            let Some(from) = name(from) else { continue };
            let to = all.iter().filter_map(&name).filter(|to| *to != from);
            arrows.entry(from.clone()).or_default().extend(to);
        }
        arrows
    }

    /// Everything that is not as it should be, a line each.
    fn faults(&self, forbidden: &[(&str, &[&str])]) -> Vec<String> {
        let parts = self.parts();
        let mut faults = Vec::new();
        for (from, all) in forbidden {
            let known = parts.get(*from).into_iter().flatten().filter(|to| all.contains(&to.as_str()));
            faults.extend(known.map(|to| format!("{from} imports {to}")));
        }
        let circles = [circle(&parts), circle(&self.files())];
        faults.extend(circles.into_iter().flatten().map(|circle| format!("a circle: {circle}")));
        faults
    }
}

/// The files below a folder, but those of tests, without their own tests.
fn walk(dir: &Path, module: &[String], files: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_stem().unwrap().to_str().unwrap().to_owned();
        let here = [module, std::slice::from_ref(&name)].concat();
        if name == "tests" || here == ["platform", "fake"] {
        } else if entry.is_dir() {
            walk(&entry, &here, files);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&entry).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap().lines();
            let code = code.map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n");
            let own = matches!(&*name, "mod" | "lib" | "main");
            files.insert(if own { module.to_vec() } else { here }, code);
        }
    }
}

/// The modules that a file names.
fn imports(module: &[String], code: &str, modules: &BTreeSet<Module>) -> BTreeSet<Module> {
    let mut found = BTreeSet::new();
    let starts = ["crate", "super", "self"].iter().flat_map(|word| code.match_indices(word));
    for (at, _) in starts {
        let before = code[..at].chars().next_back().unwrap_or(' ');
        if !(before.is_alphanumeric() || "_:".contains(before)) {
            names(&code[at..], module.to_vec(), &mut found);
        }
    }
    let known = |mut path: Module| {
        while !modules.contains(&path) {
            path.pop()?;
        }
        Some(path)
    };
    found.into_iter().filter_map(known).filter(|to| to != module).collect()
}

/// Follows a path, and the groups in which it may end. Answers the text after it.
fn names<'a>(text: &'a str, mut path: Module, found: &mut BTreeSet<Module>) -> &'a str {
    let mut rest = text.trim_start();
    loop {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        match &rest[..end] {
            "crate" => path.clear(),
            "super" => drop(path.pop()),
            "self" | "" => {}
            word => path.push(word.to_owned()),
        }
        rest = rest[end..].trim_start();
        let Some(next) = rest.strip_prefix("::") else { break };
        rest = next.trim_start();
        if let Some(mut group) = rest.strip_prefix('{') {
            loop {
                group = names(group, path.clone(), found).trim_start();
                group = group.strip_prefix(',').unwrap_or(group).trim_start();
                if let Some(rest) = group.strip_prefix('}') {
                    return rest;
                }
                if !group.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
                    return group;
                }
            }
        }
    }
    if let Some(renamed) = rest.strip_prefix("as ") {
        rest = renamed.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
    }
    found.insert(path);
    rest
}

/// One circle, if there is any.
fn circle(arrows: &BTreeMap<String, BTreeSet<String>>) -> Option<String> {
    let mut left = arrows.clone();
    // What knows nobody that is left is in no circle.
    while let Some(end) = left.iter().find(|(_, to)| !to.iter().any(|to| left.contains_key(to))) {
        let end = end.0.clone();
        left.remove(&end);
    }
    let mut way = vec![left.keys().next()?];
    loop {
        let next = left[way[way.len() - 1]].iter().find(|to| left.contains_key(*to))?;
        way.push(next);
        if let Some(first) = way[..way.len() - 1].iter().position(|known| *known == next) {
            return Some(way[first..].iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" -> "));
        }
    }
}

#[test]
fn parts_know_only_what_they_may() {
    let daemon = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut faults = House::read(&daemon.join("src")).faults(&FORBIDDEN);
    faults.extend(House::read(&daemon.join("../netlabctl/src")).faults(&[]));
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn a_planted_import_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let file = dir.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    put("lib.rs", "mod plan; mod kernel;");
    put("kernel/mod.rs", "mod a; mod b;");
    put("kernel/a.rs", "use super::{b::{self, X}, Linux};");
    put("kernel/b.rs", "struct X; #[cfg(test)]\nmod tests { use crate::plan::Plan; }");
    put("plan.rs", "// crate::kernel is not named here\nstruct Plan;");
    assert_eq!(House::read(dir.path()).faults(&FORBIDDEN), [""; 0]);
    put("plan.rs", "use std::fmt;\nfn f() -> crate::kernel::b::X { todo!() }");
    put("kernel/b.rs", "use super::a as other;");
    assert_eq!(
        House::read(dir.path()).faults(&FORBIDDEN),
        ["plan imports kernel", "a circle: kernel::a -> kernel::b -> kernel::a"]
    );
}

/// A rule about a part that is not there any more would hold for ever.
#[test]
fn each_forbidden_import_is_found() {
    let parts = House::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).parts();
    for (from, to) in FORBIDDEN.iter().flat_map(|(from, all)| all.iter().map(move |to| (*from, *to))) {
        for part in [from, to] {
            assert!(parts.contains_key(part), "{from} must not import {to}: there is no {part}");
        }
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(format!("{from}.rs")), format!("use crate::{{{to}::Thing}};")).unwrap();
        fs::write(dir.path().join(format!("{to}.rs")), "pub struct Thing;").unwrap();
        assert_eq!(House::read(dir.path()).faults(&FORBIDDEN), [format!("{from} imports {to}")]);
    }
}

/// Its licence is another, and it has to be small: only its tests know netlabd.
#[test]
fn netlabctl_needs_no_netlabd() {
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../netlabctl/Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    assert!(manifest["dev-dependencies"].get("netlabd").is_some());
    assert!(manifest["dependencies"].get("netlabd").is_none());
}
