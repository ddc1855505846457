//! Damage, formats, and what is kept through both.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use netlab_proto::v1 as proto;
use proto::LabEvent;
use redb::ReadableDatabase;

use super::*;
use crate::model::LabName;

/// Made by netlabd 0.1.0 before formats had numbers above 1: the lab `small`, ready, repaired once.
const FORMAT_1: &[u8] = include_bytes!("../../tests/store/format-1.redb");

impl Store {
    /// Keeps bytes in the place of a lab's record.
    pub(crate) fn put_raw(&self, name: &str, bytes: &[u8]) {
        let put = self.write(Need::Free, Durability::Immediate, |write| {
            write.open_table(LABS)?.insert(name, bytes)?;
            Ok(())
        });
        put.unwrap();
    }
}

/// A folder with a store file of these bytes.
fn folder(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("labs.redb");
    fs::write(&file, bytes).unwrap();
    (dir, file)
}

fn name() -> LabName {
    "small".parse().unwrap()
}

/// A store with a lab of two generations and some events, closed in good order.
fn good() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap().store;
    for generation in 1..=2 {
        let spec = proto::Lab { name: "small".into(), description: "x".repeat(9_000), ..Default::default() };
        store.put(&name(), &Record { generation, spec: Some(encode(&spec)), ..Record::default() }).unwrap();
        for number in 1..=40 {
            let event = LabEvent { sequence: generation * 100 + number, ..LabEvent::default() };
            store.add_event("uid", &event).unwrap();
        }
    }
    drop(store);
    fs::read(dir.path().join("labs.redb")).unwrap()
}

/// Opens a folder whose store may be damaged. What was kept must be there, in the store or aside.
#[track_caller]
fn nothing_is_lost(dir: &Path, bytes: &[u8], expected: &BTreeMap<String, Record>) -> bool {
    let opened = Store::open(dir).unwrap();
    let found = opened.store.labs().unwrap();
    match opened.damaged {
        None => assert_eq!(&found, expected),
        Some(ref aside) => {
            assert!(found.is_empty());
            assert_eq!(opened.aside.as_slice(), std::slice::from_ref(aside));
            assert!(fs::read(aside).unwrap() == bytes, "what was moved aside is what was there");
        }
    }
    opened.damaged.is_some()
}

#[test]
fn damaged_files_are_moved_aside_whole() {
    let good = good();
    let (dir, _) = folder(&good);
    let expected = Store::open(dir.path()).unwrap().store.labs().unwrap();
    assert_eq!(expected["small"].generation, 2);
    let half = good.len() / 2;
    let garbage = |range: std::ops::Range<usize>| {
        let mut bytes = good.clone();
        bytes[range].fill(0xa5);
        bytes
    };
    let all = [
        Vec::new(),
        b"x".to_vec(),
        good[..100].to_vec(),
        good[..4096].to_vec(),
        good[..half].to_vec(),
        good[..good.len() - 1].to_vec(),
        vec![0; good.len()],
        garbage(0..64),
        garbage(0..4096),
        garbage(4096..good.len()),
        b"#!/bin/sh\necho not a store\n".repeat(1_000),
    ];
    for (number, bytes) in all.iter().enumerate() {
        let (dir, file) = folder(bytes);
        assert!(nothing_is_lost(dir.path(), bytes, &expected), "number {number} is damaged");
        // The next start tells of it too.
        let again = Store::open(dir.path()).unwrap();
        assert_eq!((again.damaged, again.aside.len()), (None, 1));
        again.store.put(&name(), &Record::default()).unwrap();
        assert!(file.exists());
    }
}

#[test]
fn a_flipped_bit_is_harmless_or_noticed() {
    let good = good();
    let (dir, _) = folder(&good);
    let expected = Store::open(dir.path()).unwrap().store.labs().unwrap();
    let places = (0..320).step_by(7).chain((320..good.len()).step_by(4_093));
    let mut noticed = 0;
    for place in places {
        let mut bytes = good.clone();
        bytes[place] ^= 1 << (place % 8);
        let (dir, _) = folder(&bytes);
        noticed += usize::from(nothing_is_lost(dir.path(), &bytes, &expected));
    }
    assert!(noticed > 10, "{noticed} flipped bits were noticed");
}

#[test]
fn a_record_that_cannot_be_read_is_kept_apart() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap().store;
    store.put(&"other".parse().unwrap(), &Record { generation: 7, ..Record::default() }).unwrap();
    let raw: &[u8] = b"\xff\xff\xff";
    store.put_raw("small", raw);
    drop(store);
    for _ in 0..2 {
        let opened = Store::open(dir.path()).unwrap();
        assert!(opened.aside.is_empty(), "the rest of the store is good");
        assert_eq!(opened.store.labs().unwrap()["other"].generation, 7);
        assert_eq!(opened.store.unreadable().unwrap(), BTreeSet::from(["small".to_owned()]));
        let kept = opened.store.run(&|database| {
            let read = database.begin_read()?.open_table(UNREADABLE)?;
            Ok(read.get("small")?.map(|bytes| bytes.value().to_owned()))
        });
        assert_eq!(kept.unwrap().as_deref(), Some(raw), "not a bit is lost");
    }
    let store = Store::open(dir.path()).unwrap().store;
    store.remove_unreadable(&name()).unwrap();
    assert!(store.unreadable().unwrap().is_empty());
}

#[test]
fn an_old_format_is_migrated_and_a_newer_one_refused() {
    let (dir, file) = folder(FORMAT_1);
    for _ in 0..2 {
        let opened = Store::open(dir.path()).unwrap();
        assert_eq!(opened.damaged, None);
        let labs = opened.store.labs().unwrap();
        assert_eq!((labs.len(), labs["small"].generation, labs["small"].drift_repaired), (1, 1, 1));
        assert!(opened.store.events(&labs["small"].uid).unwrap().len() > 3);
        assert!(opened.store.unreadable().unwrap().is_empty());
    }
    set_format(&file, 99);
    let before = fs::read(&file).unwrap();
    let refused = Store::open(dir.path()).unwrap_err();
    assert!(matches!(refused, Error::TooNew { found: 99, .. }), "{refused}");
    set_format(&file, 0);
    assert!(Store::open(dir.path()).unwrap().damaged.is_some());
    assert!(!before.is_empty());
}

fn set_format(file: &Path, format: u64) {
    let database = Database::open(file).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(META).unwrap().insert("format", format).unwrap();
    write.commit().unwrap();
}

#[test]
fn a_failed_disk_is_no_damage() {
    let (dir, file) = folder(FORMAT_1);
    let store = Store::open(dir.path()).unwrap().store;
    // As after a failed write: it is opened again, and all is there.
    store.0.spoilt.store(true, Ordering::Release);
    assert_eq!(store.labs().unwrap().len(), 1);
    // The file is taken away by somebody: no empty one takes its place.
    store.0.spoilt.store(true, Ordering::Release);
    let hidden = dir.path().join("hidden");
    fs::rename(&file, &hidden).unwrap();
    assert!(store.labs().is_err() && store.put(&name(), &Record::default()).is_err());
    assert!(!file.exists());
    fs::rename(&hidden, &file).unwrap();
    assert_eq!(store.labs().unwrap().len(), 1);
}
