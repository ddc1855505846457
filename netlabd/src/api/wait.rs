//! `WaitLab`: a call that returns when a lab is as it is wanted, or gone.

use std::time::Duration;

use netlab_proto::v1 as proto;
use proto::{Phase, lab_event::Body, wait_lab_request::Goal};
use tonic::{Code, Status};

use super::status;
use crate::{model::LabName, reconcile::LabWatch};

/// Longest wait in one call: a call must be answered within `request_timeout` of the configuration.
const LONGEST: Duration = Duration::from_secs(100);
/// The wait where none is asked for.
const DEFAULT: Duration = Duration::from_secs(60);

/// How long a request waits.
///
/// # Errors
/// `INVALID_ARGUMENT` for more than is possible.
pub(super) fn timeout(asked: Option<pbjson_types::Duration>) -> Result<Duration, Status> {
    let Some(asked) = asked else { return Ok(DEFAULT) };
    let asked = Duration::try_from(asked).ok().filter(|asked| *asked <= LONGEST);
    asked.ok_or_else(|| status::invalid("timeout", "must be from 0 to 100 s; wait again for more"))
}

/// Waits for a lab; gives it as it is then, or nothing if it is gone.
///
/// # Errors
/// `LAB_FAILED`, `LAB_NOT_FOUND` for one that went instead, `STILL_WAITING` when time is up.
pub(super) async fn run(
    history: &LabWatch,
    name: &LabName,
    goal: Goal,
    generation: u64,
    timeout: Duration,
) -> Result<Option<proto::LabResource>, Status> {
    let mut newest = history.newest();
    let wanted = if generation == 0 { history.summary().generation } else { generation };
    let end = tokio::time::Instant::now() + timeout;
    loop {
        newest.mark_unchanged();
        if is_over(history) {
            return match goal {
                Goal::Deleted => Ok(None),
                _ => Err(crate::reconcile::Error::NotFound(name.clone()).into()),
            };
        }
        let lab = history.summary();
        if goal != Goal::Deleted && outcome(&lab, wanted).is_some() {
            // What is told is one moment of the lab.
            let lab = history.resource();
            if let Some(outcome) = outcome(&lab, wanted) {
                return outcome.map(|()| Some(lab));
            }
        }
        match tokio::time::timeout_at(end, newest.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(crate::reconcile::Error::Stopping.into()),
            Err(_) => return Err(late(&lab, timeout)),
        }
    }
}

/// Whether nothing of the lab is left.
fn is_over(history: &LabWatch) -> bool {
    let last = history.after(history.position()).unwrap_or_default();
    last.last().is_some_and(|event| matches!(event.body, Some(Body::Deleted(_))))
}

/// What became of a generation; `None` as long as that is open.
fn outcome(lab: &proto::LabResource, wanted: u64) -> Option<Result<(), Status>> {
    let known = lab.status.clone().unwrap_or_default();
    if known.observed_generation < wanted {
        return None;
    }
    let why = known.last_error.as_ref();
    let failed = |what: &str| {
        let why = why.map(|failure| format!(": {}: {}", failure.object, failure.message)).unwrap_or_default();
        let message = format!("lab {} {what}{why}", lab.name);
        let metadata = [("lab", lab.name.clone()), ("generation", wanted.to_string())];
        Some(Err(status::with_metadata(Code::FailedPrecondition, "LAB_FAILED", metadata, message)))
    };
    if known.phase() == Phase::Failed {
        return failed("failed");
    }
    let is = |kind: &str| known.conditions.iter().any(|one| one.r#type == kind && one.status == "True");
    if known.phase() != Phase::Ready || !is("Ready") {
        return None;
    }
    // A later generation because of a failure is the one before, put back.
    if known.observed_generation > wanted && why.is_some() {
        return failed("could not be changed and was rolled back");
    }
    Some(Ok(()))
}

fn late(lab: &proto::LabResource, timeout: Duration) -> Status {
    let known = lab.status.clone().unwrap_or_default();
    let phase = known.phase().word();
    let ready = known.conditions.iter().find(|one| one.r#type == "Ready");
    let why = ready.map(|one| format!(": {}", one.message)).unwrap_or_default();
    let message = format!("lab {} is still {phase} after {} s{why}", lab.name, timeout.as_secs_f64());
    let metadata = [("lab", lab.name.clone()), ("phase", known.phase().as_str_name().to_owned())];
    status::with_metadata(Code::DeadlineExceeded, "STILL_WAITING", metadata, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lab(phase: Phase, observed: u64, ready: &str, failed: bool) -> proto::LabResource {
        let condition = proto::Condition {
            r#type: "Ready".to_owned(),
            status: ready.to_owned(),
            ..proto::Condition::default()
        };
        let status = proto::LabStatus {
            phase: phase.into(),
            observed_generation: observed,
            conditions: vec![condition],
            last_error: failed.then(proto::Failure::default),
            ..proto::LabStatus::default()
        };
        proto::LabResource { status: Some(status), ..proto::LabResource::default() }
    }

    #[test]
    fn a_lab_is_waited_for_until_what_is_known_is_of_the_generation() {
        let ok = |lab| outcome(&lab, 3).map(|outcome| outcome.is_ok());
        assert_eq!(ok(lab(Phase::Ready, 2, "True", false)), None, "that was the one before");
        assert_eq!(ok(lab(Phase::Converging, 3, "False", false)), None);
        assert_eq!(ok(lab(Phase::Ready, 3, "False", false)), None, "ready but damaged");
        assert_eq!(ok(lab(Phase::Degraded, 3, "False", true)), None, "it is tried again");
        assert_eq!(ok(lab(Phase::Ready, 3, "True", false)), Some(true));
        assert_eq!(ok(lab(Phase::Ready, 4, "True", false)), Some(true), "somebody changed it again");
        assert_eq!(ok(lab(Phase::Ready, 4, "True", true)), Some(false), "it was put back");
        assert_eq!(ok(lab(Phase::Failed, 3, "False", true)), Some(false));
    }

    #[test]
    fn waits_are_bounded() {
        assert_eq!(timeout(None).unwrap(), DEFAULT);
        let seconds = |seconds| Some(pbjson_types::Duration { seconds, nanos: 0 });
        assert_eq!(timeout(seconds(0)).unwrap(), Duration::ZERO);
        assert_eq!(timeout(seconds(100)).unwrap(), LONGEST);
        assert!(timeout(seconds(101)).is_err() && timeout(seconds(-1)).is_err());
    }
}
