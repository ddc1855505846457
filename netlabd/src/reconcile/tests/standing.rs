//! What is told of a lab while it differs from what is wanted: never that it is ready.

use proto::lab_event::Body;

use super::*;
use crate::platform::fake::InjectedFailure;

/// The lab whose addresses are taken away.
fn lab() -> (proto::Lab, LabName) {
    let [(spec, _), ..] = changes();
    let name = name_of(&spec);
    (spec, name)
}

fn condition<'a>(status: &'a proto::LabStatus, kind: &str) -> &'a proto::Condition {
    status.conditions.iter().find(|condition| condition.r#type == kind).expect("the condition")
}

/// Status and reason of a condition.
fn of<'a>(status: &'a proto::LabStatus, kind: &str) -> (&'a str, &'a str) {
    let condition = condition(status, kind);
    (&condition.status, &condition.reason)
}

impl Bed {
    fn ready(&self) -> LabName {
        let (spec, name) = lab();
        self.create(&spec).unwrap();
        self.wait_for_phase(&name, Phase::Ready);
        name
    }

    fn break_it(&self, name: &LabName) {
        assert!(self.kernel.damage(name, "unaddress ns1:eth0"));
        self.manager.wake(name);
    }

    /// Checks that phase and conditions of all that was ever told agree.
    fn told_the_same(&self, name: &LabName) {
        let events = self.manager.history(name, &self.access).unwrap().after(0).unwrap();
        for event in &events {
            let Some(Body::StatusChanged(status)) = &event.body else { continue };
            let ready = of(status, "Ready").0 == "True";
            assert_eq!(ready, status.phase() == Phase::Ready, "{status:#?}");
            let drifted = status.conditions.iter().any(|it| it.r#type == "Drifted" && it.status == "True");
            assert!(!(ready && drifted), "{status:#?}");
            assert_eq!(drifted, !status.differences.is_empty(), "{status:#?}");
        }
    }
}

#[test]
fn what_differs_in_a_paused_lab_is_told_and_left() {
    let bed = Bed::new();
    let name = bed.ready();
    bed.manager.pause(&name, true, &Expected::default(), &bed.access).unwrap();
    bed.break_it(&name);
    bed.wait_for_phase(&name, Phase::Degraded);
    let lab = bed.get(&name).unwrap();
    let told = status(&lab);
    assert_eq!((of(told, "Ready"), of(told, "Drifted").0), (("False", "Drifted"), "True"));
    let missing = |text: &String| text.starts_with("ns1:eth0: address ") && text.ends_with(" is missing");
    assert!(told.differences.iter().any(missing), "{told:#?}");
    assert!(condition(told, "Ready").message.contains("while the lab is paused"), "{told:#?}");
    assert_eq!((told.drift_repaired, told.last_error.as_ref()), (0, None));
    // Somebody mends it by hand.
    let target = Target::new(&convert::lab(lab.spec.as_ref().unwrap()).unwrap(), &lab.uid);
    let scope = Scope { lab: &name, first_id: 1, target: &target };
    let plan = diff(&target, &bed.kernel.observe(scope).unwrap());
    assert_eq!(bed.kernel.execute(scope, &plan, &mut |_| ()), []);
    bed.manager.wake(&name);
    bed.wait_for_phase(&name, Phase::Ready);
    assert!(status(&bed.get(&name).unwrap()).differences.is_empty());
    bed.told_the_same(&name);
}

#[test]
fn after_a_resume_ready_is_what_was_seen_since() {
    let bed = Bed::new();
    let name = bed.ready();
    bed.manager.pause(&name, true, &Expected::default(), &bed.access).unwrap();
    bed.break_it(&name);
    bed.wait_for_phase(&name, Phase::Degraded);
    let answer = bed.manager.pause(&name, false, &Expected::default(), &bed.access).unwrap();
    assert!(phase_of(&answer) != Phase::Ready || status(&answer).drift_repaired == 1, "{answer:#?}");
    bed.wait_for_phase(&name, Phase::Ready);
    bed.check(&name);
    assert_eq!(status(&bed.get(&name).unwrap()).drift_repaired, 1);
    // Damage that nobody has told of yet.
    bed.manager.pause(&name, true, &Expected::default(), &bed.access).unwrap();
    bed.kernel.damage(&name, "unaddress ns1:eth0");
    let answer = bed.manager.pause(&name, false, &Expected::default(), &bed.access).unwrap();
    // The repair may be done before the answer is made.
    assert!(phase_of(&answer) != Phase::Ready || status(&answer).drift_repaired == 2, "{answer:#?}");
    bed.wait_for_phase(&name, Phase::Ready);
    bed.check(&name);
    bed.told_the_same(&name);
}

#[test]
fn drift_that_cannot_be_repaired_is_told_for_as_long_as_it_is_there() {
    let bed = Bed::new();
    let name = bed.ready();
    bed.kernel.fail(Some(InjectedFailure { after: 1, errno: libc::EPERM, lasting: true }));
    bed.break_it(&name);
    let failing =
        |lab: &proto::LabResource| status(lab).last_error.as_ref().is_some_and(|error| error.retrying);
    bed.wait(&name, |lab| lab.is_some_and(failing));
    for _ in 0..20 {
        let lab = bed.get(&name).unwrap();
        let told = status(&lab);
        assert_eq!((told.phase(), of(told, "Ready")), (Phase::Degraded, ("False", "Drifted")), "{told:#?}");
        assert_eq!(of(told, "Drifted").0, "True");
        bed.manager.wake(&name);
        std::thread::sleep(Duration::from_millis(20));
    }
    let message = |kind| condition(status(&bed.get(&name).unwrap()), kind).message.clone();
    bed.wait(&name, |_| message("Ready").contains("cannot be repaired"));
    assert!(message("Ready").contains("is missing"), "{}", message("Ready"));
    bed.kernel.fail(None);
    bed.wait_for_phase(&name, Phase::Ready);
    bed.check(&name);
    bed.told_the_same(&name);
}

#[test]
fn a_change_of_a_paused_lab_is_made_and_its_damage_with_it() {
    let bed = Bed::new();
    let name = bed.ready();
    bed.manager.pause(&name, true, &Expected::default(), &bed.access).unwrap();
    bed.break_it(&name);
    bed.wait_for_phase(&name, Phase::Degraded);
    let [(_, after), ..] = changes();
    bed.apply(&after).unwrap();
    bed.wait_for_phase(&name, Phase::Ready);
    bed.check(&name);
    bed.told_the_same(&name);
}
