//! Requests that are about one lab in one state: what they expect, and what is the same request again.

use super::*;

fn someone(bed: &Bed, uid: u32) -> Access {
    let owner = Owner::Local(uid);
    let caller = Caller { owner, pid: None, user: None, role: Role::Member, remote: None };
    bed.policy.access(caller).unwrap()
}

#[test]
fn nothing_is_done_to_another_lab_than_is_expected() {
    let bed = Bed::new();
    let [(spec, next), ..] = changes();
    let name = name_of(&spec);
    let first = bed.create(&spec).unwrap();
    bed.wait_for_phase(&name, Phase::Ready);
    let stale = Expected { generation: 7, uid: String::new() };
    let other = Expected { generation: 0, uid: "another".to_owned() };
    for (wrong, is_stale) in [(&stale, true), (&other, false)] {
        let refused = [
            bed.manager.delete(&name, wrong, &bed.access).map(drop),
            bed.manager.pause(&name, true, wrong, &bed.access).map(drop),
            bed.manager.confirm(&name, wrong, &bed.access).map(drop),
            bed.manager.apply(wanted(&next), wrong, None, &bed.access).map(drop),
            bed.manager.is_expected(&name, wrong, &bed.access),
        ];
        for error in refused.map(Result::unwrap_err) {
            let fits = if is_stale {
                matches!(error, Error::Stale { expected: 7, found: 1, .. })
            } else {
                matches!(&error, Error::Other { found, .. } if *found == first.uid)
            };
            assert!(fits, "{error:?}");
        }
    }
    let now = bed.get(&name).unwrap();
    assert_eq!((now.generation, status(&now).paused), (1, false));
    let right = Expected { generation: 1, uid: first.uid };
    bed.manager.pause(&name, true, &right, &bed.access).unwrap();
    bed.manager.delete(&name, &right, &bed.access).unwrap();
    bed.wait(&name, |lab| lab.is_none());
    // Made again it is another one.
    bed.create(&spec).unwrap();
    assert!(matches!(bed.manager.delete(&name, &right, &bed.access), Err(Error::Other { .. })));
}

#[test]
fn the_same_request_again_is_answered_with_the_lab_that_it_made() {
    let bed = Bed::new();
    let [(spec, next), ..] = changes();
    let name = name_of(&spec);
    let create = |spec: &proto::Lab, id: &str, access: &Access| bed.manager.create(wanted(spec), id, access);
    let made = create(&spec, "r-1", &bed.access).unwrap();
    let again = create(&spec, "r-1", &bed.access).unwrap();
    assert_eq!((&again.uid, again.generation), (&made.uid, 1));
    for other in ["", "r-2"] {
        assert!(matches!(create(&spec, other, &bed.access), Err(Error::Exists { own: true, .. })), "{other}");
    }
    bed.wait_for_phase(&name, Phase::Ready);
    bed.apply(&next).unwrap();
    assert_eq!(create(&spec, "r-1", &bed.access).unwrap().generation, 2, "the lab as it is");
    // Of nobody else: that it exists, and whose it is.
    let refused = create(&spec, "r-1", &someone(&bed, 4_242)).unwrap_err();
    assert!(matches!(&refused, Error::Exists { own: false, owner, .. } if owner == "root"), "{refused:?}");
    assert_eq!(refused.to_string(), format!("lab {name} is root's; give yours another name"));
    bed.delete(&name).unwrap();
    bed.wait(&name, |lab| lab.is_none());
    assert_ne!(create(&spec, "r-1", &bed.access).unwrap().uid, made.uid, "it is gone, so it is made");
}
