//! Requests at the same time: every one is answered, and what is kept is what is there.

use super::*;
use crate::{platform::fake::InjectedFailure, store::decode};

/// Deterministic chance (xorshift, Marsaglia 2003).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}

/// What may be answered when others do other things at the same time.
fn is_fair(error: &Error) -> bool {
    matches!(error, Error::NotFound(_) | Error::Exists { .. } | Error::Deleting(_) | Error::Refused(_))
}

/// One client that does this and that to all labs.
fn client(bed: &Bed, seed: u64, labs: &[(proto::Lab, proto::Lab)]) {
    let mut chance = Chance(seed);
    for _ in 0..40 {
        let (a, b) = &labs[chance.below(labs.len())];
        let name = name_of(a);
        let done = match chance.below(8) {
            0 | 1 => bed.create(a).map(drop),
            2 | 3 => bed.apply(a).map(drop),
            4 => bed.apply(b).map(drop),
            5 | 6 => bed.delete(&name).map(drop),
            _ => bed.manager.pause(&name, chance.below(2) == 0, &Expected::default(), &bed.access).map(drop),
        };
        assert!(done.as_ref().err().is_none_or(is_fair), "{done:?}");
        std::thread::sleep(Duration::from_micros(chance.below(4_000) as u64));
    }
}

#[test]
fn requests_that_race_leave_what_is_kept() {
    for round in 0..5_u64 {
        let (bed, labs) = (Bed::new(), changes());
        let before = bed.kernel.snapshot();
        std::thread::scope(|scope| {
            for number in 1..=4_u64 {
                let (bed, labs) = (&bed, &labs);
                scope.spawn(move || client(bed, round * 16 + number, labs));
            }
        });
        settle(&bed, &labs);
        for lab in bed.manager.list(&bed.access) {
            let name = lab.name.parse().unwrap();
            bed.check(&name);
            bed.delete(&name).unwrap();
            bed.wait(&name, |lab| lab.is_none());
        }
        assert_eq!(bed.kernel.snapshot(), before);
        assert!(bed.manager.0.store.labs().unwrap().is_empty());
    }
}

/// Waits until all labs are ready or gone, and compares the store with what is told.
fn settle(bed: &Bed, labs: &[(proto::Lab, proto::Lab)]) {
    for (spec, _) in labs {
        let ready = |lab: &proto::LabResource| phase_of(lab) == Phase::Ready && is_current(lab);
        bed.wait(&name_of(spec), |lab| lab.is_none_or(ready));
    }
    let told = bed.manager.list(&bed.access).into_iter().filter_map(|lab| bed.get(&lab.name.parse().ok()?));
    let told = told.map(|lab| (lab.name, (lab.uid, lab.generation, lab.spec)));
    let kept = bed.manager.0.store.labs().unwrap();
    let kept = kept.into_iter().map(|(name, record)| {
        (name, (record.uid, record.generation, record.spec.map(|spec| decode(&spec).unwrap())))
    });
    assert_eq!(told.collect::<BTreeMap<_, _>>(), kept.collect::<BTreeMap<_, _>>());
}

#[test]
fn an_apply_that_was_accepted_is_never_lost_to_putting_back() {
    let (bed, [(a, b), ..]) = (Bed::new(), changes());
    let name = name_of(&a);
    bed.create(&a).unwrap();
    bed.wait_for_phase(&name, Phase::Ready);
    for round in 0..60 {
        bed.kernel.fail(Some(InjectedFailure { after: 3, errno: libc::EPERM, lasting: false }));
        let _ = bed.apply(&b);
        let failing = || bed.kernel.has_failed();
        let end = Instant::now() + LONG;
        while !failing() && bed.get(&name).is_some_and(|lab| phase_of(&lab) != Phase::Ready) {
            assert!(Instant::now() < end, "nothing happens");
        }
        std::thread::sleep(Duration::from_micros(round * 20));
        bed.kernel.fail(None);
        let mut newest = a.clone();
        newest.description = format!("change {round}");
        let accepted = bed.apply(&newest).unwrap();
        bed.wait_for_phase(&name, Phase::Ready);
        let lab = bed.get(&name).unwrap();
        assert_eq!(lab.spec.as_ref(), Some(&newest), "round {round}");
        assert_eq!(lab.generation, accepted.generation, "round {round}");
    }
}

#[test]
fn a_request_about_a_lab_that_is_just_gone_keeps_nothing_of_it() {
    let (bed, [(a, _), ..]) = (Bed::new(), changes());
    let name = name_of(&a);
    for _ in 0..10 {
        bed.create(&a).unwrap();
        bed.wait_for_phase(&name, Phase::Ready);
        bed.delete(&name).unwrap();
        std::thread::scope(|scope| {
            for number in 0..3 {
                let (bed, name) = (&bed, &name);
                scope.spawn(move || {
                    let mut paused = number == 0;
                    while let Ok(lab) = bed.manager.pause(name, paused, &Expected::default(), &bed.access) {
                        paused = !status(&lab).paused;
                    }
                });
            }
        });
        bed.wait(&name, |lab| lab.is_none());
        assert!(bed.manager.0.store.labs().unwrap().is_empty(), "a lab that is gone is kept");
    }
}
