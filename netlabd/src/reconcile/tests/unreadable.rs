//! A lab whose record cannot be read: left alone until somebody decides.

use super::*;

#[test]
fn a_lab_whose_record_cannot_be_read_is_left_alone_until_it_is_deleted() {
    let [(a, _), (b, _), (c, _)] = changes();
    let broken = [&b"\xff\xff"[..], b""];
    for bytes in broken {
        let dir = tempfile::tempdir().unwrap();
        let (bed, name) = (Bed::new(), name_of(&a));
        let empty = bed.kernel.snapshot();
        for spec in [&a, &b] {
            bed.create(spec).unwrap();
            bed.wait_for_phase(&name_of(spec), Phase::Ready);
        }
        let running = bed.kernel.snapshot();
        let ids = bed.manager.first_id(&name).unwrap();
        // Another netlabd on the same host, with what the first has kept, damaged.
        let store = Store::open(dir.path()).unwrap().store;
        for (name, record) in bed.manager.0.store.labs().unwrap() {
            store.put(&name.parse().unwrap(), &record).unwrap();
        }
        store.put_raw(name.as_str(), bytes);
        drop(store);
        let bed = bed.restarted(dir);
        bed.wait_for_phase(&name_of(&b), Phase::Ready);
        bed.manager.purge_strays().unwrap();
        assert_eq!(bed.kernel.snapshot(), running, "what runs is no stray");
        let refused = |done: Result<_, Error>| matches!(done, Err(Error::Unreadable(_)));
        assert!(refused(bed.manager.get(&name, &bed.access)));
        assert!(refused(bed.create(&a)));
        assert!(refused(bed.apply(&a)));
        assert!(refused(bed.manager.pause(&name, true, &Expected::default(), &bed.access)));
        let other = bed
            .policy
            .access(Caller {
                owner: Owner::Local(9),
                pid: None,
                user: None,
                role: Role::Member,
                remote: None,
            })
            .unwrap();
        assert!(matches!(bed.manager.delete(&name, &Expected::default(), &other), Err(Error::Denied(_))));
        bed.create(&c).unwrap();
        assert_ne!(bed.manager.first_id(&name_of(&c)).unwrap(), ids, "what runs has its user ids to itself");
        bed.wait_for_phase(&name_of(&c), Phase::Ready);
        bed.delete(&name_of(&c)).unwrap();
        bed.wait(&name_of(&c), |lab| lab.is_none());

        bed.delete(&name).unwrap();
        assert!(matches!(bed.delete(&name), Err(Error::NotFound(_))));
        bed.create(&a).unwrap();
        for spec in [&a, &b] {
            bed.wait_for_phase(&name_of(spec), Phase::Ready);
            bed.delete(&name_of(spec)).unwrap();
            bed.wait(&name_of(spec), |lab| lab.is_none());
        }
        assert_eq!(bed.kernel.snapshot(), empty);
    }
}

/// What an earlier netlabd took and this one refuses: it runs on, its owner sees it, and a better file or a delete
/// ends that.
#[test]
fn a_kept_lab_that_is_not_valid_any_more_waits_for_its_owner() {
    let [(a, _), (b, _), _] = changes();
    let dir = tempfile::tempdir().unwrap();
    let (bed, name) = (Bed::new(), name_of(&a));
    let empty = bed.kernel.snapshot();
    for spec in [&a, &b] {
        bed.create(spec).unwrap();
        bed.wait_for_phase(&name_of(spec), Phase::Ready);
    }
    let running = bed.kernel.snapshot();
    let store = Store::open(dir.path()).unwrap().store;
    let mut refused = a.clone();
    let interface = refused.nodes.values_mut().flat_map(|node| node.interfaces.values_mut());
    let address = interface.flat_map(|interface| &mut interface.addresses).next().unwrap();
    let octal = address.replacen('.', ".0", 1);
    address.clone_from(&octal);
    for (lab, mut record) in bed.manager.0.store.labs().unwrap() {
        if lab == name.as_str() {
            record.spec = Some(store::encode(&refused));
        }
        store.put(&lab.parse().unwrap(), &record).unwrap();
    }
    drop(store);
    let bed = bed.restarted(dir);
    bed.wait_for_phase(&name_of(&b), Phase::Ready);
    bed.wait_for_phase(&name, Phase::Degraded);
    bed.manager.purge_strays().unwrap();
    assert_eq!(bed.kernel.snapshot(), running, "what runs is left alone");
    let seen = bed.get(&name).unwrap();
    assert_eq!(seen.spec.as_ref(), Some(&refused), "its file can be had");
    let told = |lab: &proto::LabResource| {
        let error = status(lab).last_error.clone().unwrap();
        let ready = status(lab).conditions.iter().find(|it| it.r#type == "Ready").cloned().unwrap();
        assert_eq!((error.reason.as_str(), ready.reason.as_str()), ("NotValid", "NotValid"));
        assert!(
            error.message.contains(&octal) && error.message.contains("begins with 0"),
            "{}",
            error.message
        );
    };
    told(&seen);
    assert!(bed.manager.list(&bed.access).iter().any(|lab| lab.name == name.as_str()));
    let not_ready = |done: Result<_, Error>| matches!(done, Err(Error::NotReady(..)));
    assert!(not_ready(bed.manager.usable(&name, &bed.access).map(drop)));
    assert!(bed.manager.read(refused.clone()).is_err(), "it is not taken for what is wanted already");
    // Pausing and resuming make nothing better, and nothing worse.
    for paused in [true, false] {
        bed.manager.pause(&name, paused, &Expected::default(), &bed.access).unwrap();
        bed.wait_for_phase(&name, Phase::Degraded);
        told(&bed.get(&name).unwrap());
    }
    let after = Some(Duration::from_secs(60));
    let rolled = bed.manager.apply(wanted(&a), &Expected::default(), after, &bed.access);
    assert!(not_ready(rolled.map(drop)), "there is nothing to go back to");
    // The owner mends the file.
    bed.apply(&a).unwrap();
    bed.wait_for_phase(&name, Phase::Ready);
    bed.check(&name);
    assert_eq!(bed.kernel.snapshot(), running, "all of it was there");
    for spec in [&a, &b] {
        bed.delete(&name_of(spec)).unwrap();
        bed.wait(&name_of(spec), |lab| lab.is_none());
    }
    assert_eq!(bed.kernel.snapshot(), empty);
}

#[test]
fn a_kept_lab_that_is_not_valid_any_more_can_be_deleted() {
    let [(a, _), ..] = changes();
    let dir = tempfile::tempdir().unwrap();
    let (bed, name) = (Bed::new(), name_of(&a));
    let empty = bed.kernel.snapshot();
    bed.create(&a).unwrap();
    bed.wait_for_phase(&name, Phase::Ready);
    let store = Store::open(dir.path()).unwrap().store;
    let mut record = bed.manager.0.store.labs().unwrap().remove(name.as_str()).unwrap();
    let hidden = proto::Node::default();
    let refused = proto::Lab { nodes: [("n\u{200b}".to_owned(), hidden)].into(), ..a };
    record.spec = Some(store::encode(&refused));
    store.put(&name, &record).unwrap();
    drop(store);
    let bed = bed.restarted(dir);
    bed.wait_for_phase(&name, Phase::Degraded);
    bed.delete(&name).unwrap();
    bed.wait(&name, |lab| lab.is_none());
    assert_eq!(bed.kernel.snapshot(), empty);
}
