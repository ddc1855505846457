//! The events of all labs in one order.

use proto::lab_event::Body;

use super::*;

/// The events of a position on.
fn drain(bed: &Bed, position: &mut u64) -> Vec<FeedEvent> {
    let mut all = Vec::new();
    loop {
        let items = bed.manager.feed().after(*position).unwrap();
        let Some(last) = items.last() else { return all };
        *position = last.serial;
        all.extend(items);
    }
}

#[test]
fn every_lab_is_heard_of_from_its_first_event_to_its_last() {
    let bed = Bed::new();
    let [(one, next), (two, _), _] = changes();
    let mut position = *bed.manager.feed().newest().borrow();
    for spec in [&one, &two] {
        bed.create(spec).unwrap();
        bed.wait_for_phase(&name_of(spec), Phase::Ready);
    }
    bed.apply(&next).unwrap();
    bed.wait_for_phase(&name_of(&one), Phase::Ready);
    bed.delete(&name_of(&two)).unwrap();
    bed.wait(&name_of(&two), |lab| lab.is_none());
    let events = drain(&bed, &mut position);
    let serials: Vec<u64> = events.iter().map(|item| item.serial).collect();
    let first = serials[0];
    assert_eq!(serials, (first..first + serials.len() as u64).collect::<Vec<_>>());
    for spec in [&one, &two] {
        let of: Vec<_> = events.iter().filter(|item| item.subject.name == name_of(spec)).collect();
        let sequences: Vec<u64> = of.iter().map(|item| item.event.sequence).collect();
        assert_eq!(
            sequences,
            (1..=sequences.len() as u64).collect::<Vec<_>>(),
            "none is missed or told twice"
        );
        let changed = |item: &&&FeedEvent| matches!(item.event.body, Some(Body::SpecChanged(_)));
        assert_eq!(of.iter().filter(changed).count(), if spec == &one { 2 } else { 1 });
        let deleted = matches!(of.last().unwrap().event.body, Some(Body::Deleted(_)));
        assert_eq!(deleted, spec == &two);
    }
}

#[test]
fn labs_of_an_earlier_run_are_heard_of_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let first = dir.path().to_owned();
    let bed = Bed::with(Arc::new(FakeKernel::new()), dir);
    let [(spec, _), ..] = changes();
    let name = name_of(&spec);
    bed.create(&spec).unwrap();
    bed.wait_for_phase(&name, Phase::Ready);
    let token = bed.manager.feed().token(1);
    // The store's folder outlives the first netlabd.
    let dir = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(first).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
    }
    let bed = bed.restarted(dir);
    bed.wait_for_phase(&name, Phase::Ready);
    assert_eq!(bed.manager.feed().position(&token), Ok(Err(Gone)), "of another run");
    let mut position = *bed.manager.feed().newest().borrow();
    bed.manager.pause(&name, true, &Expected::default(), &bed.access).unwrap();
    let told = drain(&bed, &mut position);
    assert!(told.iter().any(|item| matches!(&item.event.body, Some(Body::StatusChanged(s)) if s.paused)));
}
