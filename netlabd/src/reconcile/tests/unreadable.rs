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
