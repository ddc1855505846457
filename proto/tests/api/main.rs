//! The API as others rely on it: it is written as the style guide asks, and nothing that was released is
//! taken back.
//!
//! The rules are those of [buf](https://buf.build/docs), categories STANDARD and COMMENTS of `buf lint` and
//! FILE, which includes WIRE_JSON, of `buf breaking`, done here so that checking them needs nothing but Rust.
//! `proto/baseline` is the API of the last release; `make bless-api` makes it the present one.

mod breaking;
mod lint;
mod source;

use std::{fs, path::Path};

use source::{Api, compile, of_text};

fn at(folder: &str) -> Api {
    compile(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
}

#[test]
fn the_api_is_written_as_the_rules_ask() {
    let faults = lint::faults(&at("."));
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn nothing_released_is_taken_back() {
    let faults = breaking::faults(&at("baseline"), &at("."));
    assert!(
        faults.is_empty(),
        "clients of the last release would break; add what is new beside what is there:\n{}",
        faults.join("\n")
    );
}

#[test]
fn what_was_added_has_a_new_revision() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("baseline/REVISION");
    let released: u32 = fs::read_to_string(file).unwrap().trim().parse().unwrap();
    let same = breaking::facts(&at("baseline")) == breaking::facts(&at("."));
    if same {
        assert_eq!(netlab_proto::REVISION, released, "nothing is new: the revision stays");
    } else {
        assert_eq!(
            netlab_proto::REVISION,
            released + 1,
            "something is new: REVISION in src/lib.rs goes up by one"
        );
    }
}

#[test]
fn the_linter_finds_what_it_is_to_find() {
    let good = of_text("netlab/v1/a.proto", lint::GOOD);
    assert_eq!(lint::faults(&good), [""; 0]);
    for (rule, from, to) in lint::BAD {
        assert!(lint::GOOD.contains(from), "{rule}: {from}");
        let faults = lint::faults(&of_text("netlab/v1/a.proto", &lint::GOOD.replace(from, to)));
        let found = faults.iter().any(|fault| fault.starts_with(&format!("{rule}: ")));
        assert!(found, "{rule} is not found after {from:?} -> {to:?}: {faults:?}");
    }
    let dated = lint::faults(&of_text("netlab/v1/a.proto", "syntax = \"proto2\"; package netlab.v1;"));
    assert!(dated.iter().any(|fault| fault.starts_with("SYNTAX_SPECIFIED")), "{dated:?}");
    let moved = lint::faults(&of_text("netlab/A-b.proto", lint::GOOD));
    for rule in ["PACKAGE_DIRECTORY_MATCH", "FILE_LOWER_SNAKE_CASE"] {
        assert!(moved.iter().any(|fault| fault.starts_with(rule)), "{rule}: {moved:?}");
    }
}

#[test]
fn the_comparison_finds_what_it_is_to_find() {
    let old = of_text("netlab/v1/a.proto", lint::GOOD);
    assert_eq!(breaking::faults(&old, &old), [""; 0]);
    for (from, to) in breaking::HARMLESS {
        assert!(lint::GOOD.contains(from), "{from}");
        let new = of_text("netlab/v1/a.proto", &lint::GOOD.replace(from, to));
        assert_eq!(breaking::faults(&old, &new), [""; 0], "{from:?} -> {to:?}");
    }
    for (expected, from, to) in breaking::HARMFUL {
        assert!(lint::GOOD.contains(from), "{from}");
        let faults = breaking::faults(&old, &of_text("netlab/v1/a.proto", &lint::GOOD.replace(from, to)));
        let found = faults.iter().any(|fault| fault.contains(expected));
        assert!(found, "{expected:?} is not found after {from:?} -> {to:?}: {faults:?}");
    }
}
