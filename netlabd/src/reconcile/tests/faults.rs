//! A failure at each operation in turn: what is asked for comes true, or nothing changes.

use std::sync::atomic::{AtomicUsize, Ordering};

use proto::lab_event::Body;

use super::*;
use crate::platform::fake::InjectedFailure;

/// More than any of the examples takes.
const MANY: usize = 1_000;

/// Shortages that pass, refusals that do not.
const FAULTS: [(i32, bool); 6] = [
    (libc::ENOBUFS, false),
    (libc::EBUSY, false),
    (libc::ENOMEM, false),
    (libc::ENOSPC, false),
    (libc::ENOSPC, true),
    (libc::EPERM, true),
];

/// Runs `case` with each fault at each operation until one comes too late to matter; prints how many faults that were
/// for `tests/fault-table`.
fn at_every_operation(work: &str, case: impl Fn(InjectedFailure) -> bool + Sync) {
    let injected = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for (errno, lasting) in FAULTS {
            let (case, injected) = (&case, &injected);
            scope.spawn(move || {
                let end = (0..MANY).find(|after| !case(InjectedFailure { after: *after, errno, lasting }));
                assert!(end.is_some_and(|end| end > 2), "the failures never came: {end:?}");
                injected.fetch_add(end.unwrap_or(0), Ordering::Relaxed);
            });
        }
    });
    let injected = injected.into_inner();
    println!(
        "figures: {{\"work\": \"in memory, refused at each operation: {work}\", \"injected\": {injected}}}"
    );
}

/// Whether a failure passes when the same is tried again.
fn passes(fault: InjectedFailure) -> bool {
    !fault.lasting && fault.errno != libc::ENOSPC
}

#[test]
fn a_create_succeeds_or_leaves_nothing() {
    for (spec, _) in changes() {
        at_every_operation("create", |fault| {
            let (bed, name) = (Bed::new(), name_of(&spec));
            let before = bed.kernel.snapshot();
            bed.kernel.fail(Some(fault));
            if bed.create(&spec).is_err() {
                assert_eq!(bed.kernel.snapshot(), before, "{fault:?}");
                return bed.kernel.has_failed();
            }
            bed.wait(&name, |lab| {
                lab.is_some_and(|lab| matches!(phase_of(lab), Phase::Ready | Phase::Failed))
            });
            let (failed, lab) = (bed.kernel.has_failed(), bed.get(&name).unwrap());
            bed.kernel.fail(None);
            if phase_of(&lab) == Phase::Ready {
                bed.check(&name);
                return failed;
            }
            assert!(!passes(fault), "{fault:?}: {lab:#?}");
            let error = status(&lab).last_error.as_ref().unwrap();
            let words = std::io::Error::from_raw_os_error(fault.errno).to_string();
            let words = words.split(" (os error").next().unwrap();
            assert!(error.message.contains(words), "{fault:?}: {error:?}");
            // What could not be taken away at once is taken away later.
            let end = Instant::now() + LONG;
            while bed.kernel.snapshot() != before {
                assert!(Instant::now() < end, "{fault:?}: something is left");
                std::thread::sleep(Duration::from_millis(5));
            }
            bed.create(&spec).unwrap();
            bed.wait_for_phase(&name, Phase::Ready);
            bed.check(&name);
            true
        });
    }
}

#[test]
fn an_apply_succeeds_or_is_put_back() {
    for (before, after) in changes() {
        at_every_operation("apply", |fault| {
            let (bed, name) = (Bed::new(), name_of(&before));
            bed.create(&before).unwrap();
            bed.wait_for_phase(&name, Phase::Ready);
            bed.kernel.fail(Some(fault));
            if bed.apply(&after).is_err() {
                bed.kernel.fail(None);
                bed.wait_for_phase(&name, Phase::Ready);
                assert_eq!(bed.get(&name).unwrap().spec.as_ref(), Some(&before));
                return true;
            }
            let settled = |lab: &proto::LabResource| {
                let given_up = status(lab).last_error.as_ref().is_some_and(|error| error.retrying);
                is_current(lab) && (phase_of(lab) == Phase::Ready || given_up)
            };
            bed.wait(&name, |lab| lab.is_some_and(settled));
            let failed = bed.kernel.has_failed();
            bed.kernel.fail(None);
            bed.wait_for_phase(&name, Phase::Ready);
            bed.check(&name);
            let lab = bed.get(&name).unwrap();
            if lab.spec.as_ref() == Some(&after) {
                assert_eq!(lab.generation, 2);
            } else {
                assert!(!passes(fault), "{fault:?}: rolled back without need: {lab:#?}");
                assert_eq!((lab.spec.as_ref(), lab.generation), (Some(&before), 3));
                let events = bed.manager.history(&name, &bed.access).unwrap().after(0).unwrap();
                let rolled_back = |event: &Arc<proto::LabEvent>| matches!(&event.body, Some(Body::Failed(failure)) if failure.message.contains("rolled back"));
                assert!(events.iter().any(rolled_back), "{events:#?}");
            }
            failed
        });
    }
}

#[test]
fn a_delete_goes_on_until_nothing_is_left() {
    for (spec, _) in changes() {
        at_every_operation("delete", |fault| {
            let (bed, name) = (Bed::new(), name_of(&spec));
            let before = bed.kernel.snapshot();
            bed.create(&spec).unwrap();
            bed.wait_for_phase(&name, Phase::Ready);
            bed.kernel.fail(Some(fault));
            bed.delete(&name).unwrap();
            bed.wait(&name, |lab| {
                lab.is_none_or(|lab| status(lab).last_error.as_ref().is_some_and(|error| error.retrying))
            });
            let failed = bed.kernel.has_failed();
            bed.kernel.fail(None);
            bed.wait(&name, |lab| lab.is_none());
            assert_eq!(bed.kernel.snapshot(), before, "{fault:?}");
            assert!(bed.manager.0.store.labs().unwrap().is_empty());
            failed
        });
    }
}

#[test]
fn a_host_that_cannot_be_searched_for_strays_keeps_them_until_it_can() {
    let [(spec, _), ..] = changes();
    at_every_operation("search for strays", |fault| {
        let bed = Bed::new();
        let empty = bed.kernel.snapshot();
        bed.create(&spec).unwrap();
        bed.wait_for_phase(&name_of(&spec), Phase::Ready);
        // Another netlabd whose store knows nothing of the lab.
        let bed = bed.restarted(tempfile::tempdir().unwrap());
        bed.kernel.fail(Some(fault));
        let done = bed.manager.purge_strays();
        let failed = bed.kernel.has_failed();
        bed.kernel.fail(None);
        assert_eq!(done.is_err(), failed, "{fault:?}: {done:?}");
        bed.manager.purge_strays().unwrap();
        assert_eq!(bed.kernel.snapshot(), empty, "{fault:?}");
        failed
    });
}
