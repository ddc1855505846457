//! Plans by example: each folder of `tests/golden` holds a lab and what is planned for it.
//!
//! `lab.json` is the lab. `new.plan` is the plan for it from nothing, `delete.plan` that for its end.
//! `NAME.plan` is what is planned after it was built and then either each line of `NAME.damage` was
//! done to it, or `NAME.next.json` is wanted in its place. `NETLAB_BLESS=1` writes all plans anew.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use super::{converge, observe};
use crate::{
    convert,
    model::{Lab, LabName},
    plan::{Plan, Target, command, diff},
    platform::fake::FakeKernel,
};

#[test]
fn plans_are_as_blessed() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let bless = std::env::var_os("NETLAB_BLESS").is_some();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for folder in files(&root) {
        for (name, plan) in cases(&folder) {
            let file = folder.join(format!("{name}.plan"));
            count += 1;
            if bless {
                fs::write(file, plan).unwrap();
            } else if fs::read_to_string(&file).unwrap_or_default() != plan {
                wrong.push(format!("{}:\n{plan}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "not as blessed (NETLAB_BLESS=1 if they should be):\n{}", wrong.join("\n"));
    let blessed =
        files(&root).iter().flat_map(|folder| files(folder)).filter(|file| ends(file, ".plan")).count();
    assert_eq!(blessed, count, "there are plans without a case");
    assert!(count > 30, "cases are missing");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn ends(file: &Path, end: &str) -> bool {
    file.to_str().unwrap().ends_with(end)
}

/// The cases of a folder: name and plan.
fn cases(folder: &Path) -> Vec<(String, String)> {
    let lab = lab(&folder.join("lab.json"));
    let target = Target::new(&lab, "uid");
    let name =
        |file: &Path| file.file_name().unwrap().to_str().unwrap().split('.').next().unwrap().to_owned();
    let built = || {
        let kernel = host(&lab.name);
        converge(&kernel, &lab.name, &target).unwrap();
        kernel
    };
    let mut cases = vec![
        ("new".to_owned(), plan(&host(&lab.name), &lab.name, &target)),
        ("delete".to_owned(), plan(&built(), &lab.name, &Target::default())),
    ];
    for file in files(folder) {
        let kernel = built();
        if ends(&file, ".damage") {
            for line in fs::read_to_string(&file).unwrap().lines() {
                assert!(kernel.damage(&lab.name, line), "{}: nothing to {line}", file.display());
            }
            cases.push((name(&file), plan(&kernel, &lab.name, &target)));
        } else if ends(&file, ".next.json") {
            cases.push((name(&file), plan(&kernel, &lab.name, &Target::new(&self::lab(&file), "uid"))));
        }
    }
    cases
}

/// A host with what others have: an interface and a bridge.
fn host(lab: &LabName) -> FakeKernel {
    let kernel = FakeKernel::new();
    for line in ["strange host:parent0", "up host:parent0", "strange-bridge host:bridge0"] {
        assert!(kernel.damage(lab, line), "{line}");
    }
    kernel
}

fn lab(file: &Path) -> Lab {
    let message = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    convert::lab(&message).unwrap_or_else(|faults| panic!("{}: {faults}", file.display()))
}

/// The plan as text. What is blessed must work too.
fn plan(kernel: &FakeKernel, lab: &LabName, target: &Target) -> String {
    let plan = diff(target, &observe(kernel, lab, target));
    if plan.conflicts.is_empty() {
        converge(kernel, lab, target).unwrap_or_else(|error| panic!("{lab}: {error}"));
    }
    show(lab, &plan)
}

fn show(lab: &LabName, plan: &Plan) -> String {
    let mut text = String::new();
    for stage in &plan.stages {
        writeln!(text, "# {}", stage.name).unwrap();
        for op in &stage.ops {
            writeln!(text, "{op}\n  {}\n  {}", op.finding(), command(lab, op)).unwrap();
        }
    }
    for conflict in &plan.conflicts {
        writeln!(text, "conflict: {conflict}").unwrap();
    }
    for extra in plan.extras.values().flatten() {
        writeln!(text, "extra: {extra}").unwrap();
    }
    text
}
