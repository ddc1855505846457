//! What differs from the desired state, in the API's words.

use netlab_proto::v1::Phase;

use super::{DRIFTED, EXTRAS, Status, named};

/// The reason of a lab that is damaged again and again.
const STORM: &str = "DamagedAgainAndAgain";

impl Status {
    /// It is damaged faster than repairing it makes sense: whatever it was a moment ago, it is not to be relied on.
    pub(in crate::reconcile) fn stormy(&mut self, seconds: u64) {
        let message = format!(
            "damaged again and again; the next look is in {seconds} s (a paused lab is not repaired)"
        );
        self.stand(Phase::Degraded, DRIFTED, &message);
        self.set("Drifted", "True", STORM, &message);
    }

    /// It is not damaged any more.
    pub(super) fn calm(&mut self) {
        self.differences.clear();
        self.set("Drifted", "False", "AsWanted", "nothing differs from the desired state");
    }

    /// Something differs that nobody asked to differ; while the lab is `paused` it stays so.
    pub(in crate::reconcile) fn drifted(&mut self, generation: u64, found: &[String], paused: bool) {
        self.observed_generation = generation;
        self.progress = None;
        self.differences = found.iter().take(EXTRAS).cloned().collect();
        let message = named(found);
        self.set("Drifted", "True", "Damaged", &message);
        if paused && let Some(error) = &mut self.last_error {
            error.retrying = false;
        }
        if paused {
            self.set("Progressing", "False", "Paused", "nothing is repaired while the lab is paused");
            self.stand(
                Phase::Degraded,
                DRIFTED,
                &format!("{message} (not repaired while the lab is paused)"),
            );
        } else {
            self.stand(Phase::Degraded, DRIFTED, &self.found_and_why());
        }
    }

    /// Whether something is known to differ.
    pub(in crate::reconcile) fn is_drifted(&self) -> bool {
        !self.differences.is_empty()
    }

    /// Whether just these differences are told of a generation already.
    pub(in crate::reconcile) fn knows_drift(&self, generation: u64, found: &[String]) -> bool {
        self.phase == Phase::Degraded
            && self.observed_generation == generation
            && self.progress.is_none()
            && !found.is_empty()
            && self.differences.iter().eq(found.iter().take(EXTRAS))
    }

    /// What differs, and while that cannot be repaired, why: trying again does not make it forgotten.
    pub(super) fn found_and_why(&self) -> String {
        let found = named(&self.differences);
        match self.last_error.as_ref().filter(|failure| failure.retrying) {
            Some(failure) => format!("{found}; cannot be repaired: {}: {}", failure.object, failure.message),
            None => found,
        }
    }
}

#[cfg(test)]
mod tests {
    use netlab_proto::v1 as proto;

    use super::*;

    #[test]
    fn what_cannot_be_repaired_is_told_while_it_is_tried_again() {
        let mut status = Status::new();
        let found = ["a:mv0: the macvlan is missing".to_owned()];
        let ready = |status: &Status| {
            let ready = status.conditions.iter().find(|it| it.r#type == "Ready").unwrap();
            (ready.status.clone(), ready.reason.clone(), ready.message.clone())
        };
        let told = |message: &str| ("False".to_owned(), "Drifted".to_owned(), message.to_owned());
        status.drifted(1, &found, false);
        status.working(1, Phase::Degraded, 0, 3, "links");
        assert_eq!(ready(&status), told("a:mv0: the macvlan is missing"));
        let failure = proto::Failure {
            reason: "KernelRefused".to_owned(),
            object: "a:mv0".to_owned(),
            message: "there is no interface eth9".to_owned(),
            retrying: true,
            ..proto::Failure::default()
        };
        status.failed(Phase::Degraded, 1, failure);
        let why = "a:mv0: the macvlan is missing; cannot be repaired: a:mv0: there is no interface eth9";
        assert_eq!(ready(&status), told(why));
        // The next try.
        status.drifted(1, &found, false);
        assert_eq!(ready(&status), told(why));
        status.working(1, Phase::Degraded, 0, 3, "links");
        assert_eq!(ready(&status), told(why));
        // Nobody tries while it is paused.
        status.drifted(1, &found, true);
        let left = "a:mv0: the macvlan is missing (not repaired while the lab is paused)";
        assert_eq!(ready(&status), told(left));
        assert!(!status.last_error.as_ref().unwrap().retrying);
    }
}
