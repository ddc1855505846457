//! Waiting until a lab is what it shall be, or gone.

use std::{future::pending, io::Write as _, time::Duration};

use netlab_proto::v1::{
    ChangeCause, Condition, Failure as LabFailure, LabEvent, LabStatus, LabWarning, Phase, SpecChanged,
    lab_event::Body,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep_until},
};

use crate::{
    client::Client,
    error::{FAILED, Failure, INTERRUPTED},
    labfile::LabFile,
    output::table::clean,
    progress::Bar,
    watch::Watch,
};

/// Waits for one lab.
pub(crate) struct Wait {
    name: String,
    watch: Watch,
    bar: Bar,
    deadline: Instant,
    timeout: Duration,
    interrupt: Option<Signal>,
    /// The newest status seen.
    status: LabStatus,
    /// The newest thing that went wrong.
    failure: Option<LabFailure>,
}

impl Wait {
    /// Begins to watch a lab.
    ///
    /// # Errors
    /// The daemon's, `NOT_FOUND` among them.
    pub(crate) async fn open(client: &Client, name: &str, timeout: Duration) -> Result<Self, tonic::Status> {
        Ok(Self {
            name: name.to_owned(),
            watch: Watch::open(client, name, timeout).await?,
            bar: Bar::new(name),
            deadline: Instant::now() + timeout,
            timeout,
            interrupt: signal(SignalKind::interrupt()).ok(),
            status: LabStatus::default(),
            failure: None,
        })
    }

    /// Waits until the given generation is ready.
    ///
    /// # Errors
    /// Exit code 1 if the lab failed, was put back, was deleted, is paused and differs, or took too long; 130 on
    /// Ctrl-C.
    pub(crate) async fn ready(self, generation: u64) -> Result<(), Failure> {
        self.ready_of(generation, None).await
    }

    /// The same of a lab that was made from `file`: warnings are told by its lines.
    pub(crate) async fn ready_of(mut self, generation: u64, file: Option<&LabFile>) -> Result<(), Failure> {
        // The generation by which it is put back, where it is: that is told once it is over.
        let mut back = None;
        loop {
            let Some(event) = self.next("it goes on converging").await? else {
                return Err(self.failed("was deleted meanwhile"));
            };
            match event.body {
                Some(Body::SpecChanged(change)) if change.generation > generation && is_put_back(&change) => {
                    back = Some(change.generation);
                }
                Some(Body::StatusChanged(_))
                    if back.is_some_and(|back| self.status.observed_generation >= back)
                        && self.status.phase() == Phase::Ready =>
                {
                    let fallback =
                        if self.failure.is_none() { " and was rolled back to what it was" } else { "" };
                    return Err(self.failed(&format!("could not be changed{fallback}")));
                }
                Some(Body::StatusChanged(_)) if back.is_some() => {}
                Some(Body::StatusChanged(_)) if self.status.observed_generation >= generation => {
                    match self.status.phase() {
                        // It was put back before we began to watch.
                        Phase::Ready
                            if self.status.observed_generation > generation
                                && self.status.last_error.is_some() =>
                        {
                            return Err(self.failed("could not be changed"));
                        }
                        Phase::Ready => {
                            self.warn(file);
                            return Ok(());
                        }
                        Phase::Failed => return Err(self.failed("failed")),
                        Phase::Degraded if self.status.paused && !self.status.differences.is_empty() => {
                            return Err(self.paused());
                        }
                        _ => {}
                    }
                }
                Some(Body::Deleted(_)) => return Err(self.failed("was deleted meanwhile")),
                _ => {}
            }
        }
    }

    /// Waits until nothing of the lab is left.
    ///
    /// # Errors
    /// Exit code 1 if it took too long; 130 on Ctrl-C.
    pub(crate) async fn deleted(mut self) -> Result<(), Failure> {
        while let Some(event) = self.next("it goes on being deleted").await? {
            if matches!(event.body, Some(Body::Deleted(_))) {
                break;
            }
        }
        Ok(())
    }

    /// The next event, noted; `None` where the lab is gone.
    async fn next(&mut self, goes_on: &str) -> Result<Option<LabEvent>, Failure> {
        let interrupted = async {
            match &mut self.interrupt {
                Some(signal) => signal.recv().await,
                None => pending().await,
            }
        };
        let event = tokio::select! {
            event = self.watch.next() => event,
            () = sleep_until(self.deadline) => return Err(self.late(goes_on)),
            _ = interrupted => {
                let name = &self.name;
                let message = format!(
                    "interrupted: lab {name}: {goes_on}; follow it by netlabctl watch-lab {name}, or end it by \
                     netlabctl delete-lab {name}"
                );
                return Err(Failure::new(INTERRUPTED, message));
            }
        };
        let event = event?;
        match event.as_ref().and_then(|event| event.body.as_ref()) {
            Some(Body::StatusChanged(status)) => {
                self.bar.show(status);
                self.status = status.clone();
                if status.last_error.is_some() {
                    self.failure.clone_from(&status.last_error);
                }
            }
            Some(Body::Failed(failure)) => self.failure = Some(failure.clone()),
            _ => {}
        }
        Ok(event)
    }

    /// Says what stands in the way of a lab that is ready all the same.
    fn warn(self, file: Option<&LabFile>) {
        drop(self.bar);
        let in_the_way = |condition: &&Condition| {
            matches!(condition.r#type.as_str(), "HostReady" | "Forwarding") && condition.status == "False"
        };
        let conditions = self.status.conditions.iter().filter(in_the_way).map(|it| clean(&it.message));
        let at = |warning: &LabWarning| match file {
            Some(file) => clean(&file.warning(&warning.field, &warning.message)),
            None => format!("{}: {}", clean(&warning.field), clean(&warning.message)),
        };
        for warning in conditions.chain(self.status.warnings.iter().map(at)) {
            let _ = writeln!(std::io::stderr().lock(), "warning: {warning}");
        }
    }

    /// Waiting would not end: what differs stays until somebody asks for repairs.
    fn paused(&self) -> Failure {
        let (name, why) = (&self.name, not_ready(&self.status));
        Failure::new(FAILED, format!("lab {name}: {why}: netlabctl resume-lab {name}"))
    }

    fn failed(&self, how: &str) -> Failure {
        Failure::new(FAILED, format!("lab {} {how}{}", self.name, self.why()))
    }

    fn late(&self, goes_on: &str) -> Failure {
        let timeout = crate::duration::show(self.timeout);
        let phase = self.status.phase().word();
        let name = &self.name;
        let why = self.why();
        let message =
            format!("lab {name}: still {phase} after {timeout}{why}; {goes_on}: netlabctl watch-lab {name}");
        Failure::new(FAILED, message)
    }

    fn why(&self) -> String {
        let failure = self.failure.as_ref().map(failure_text);
        let drift = (!self.status.differences.is_empty()).then(|| not_ready(&self.status));
        drift.or(failure).map(|why| format!(": {why}")).unwrap_or_default()
    }
}

/// Whether an earlier state came back by itself.
fn is_put_back(change: &SpecChanged) -> bool {
    match change.cause() {
        ChangeCause::PutBackFailed | ChangeCause::PutBackUnconfirmed => true,
        // A netlabd of before does not tell; nobody else puts back.
        ChangeCause::Unspecified => change.who == "netlabd",
        ChangeCause::Created | ChangeCause::Applied => false,
    }
}

/// Why a lab is not ready, in the daemon's words.
pub(crate) fn not_ready(status: &LabStatus) -> String {
    let ready = status.conditions.iter().find(|condition| condition.r#type == "Ready");
    match (ready, &status.last_error) {
        // A netlabd of before calls a lab ready while it repairs it.
        (Some(ready), None) if ready.status != "True" => clean(&ready.message),
        (Some(ready), Some(_)) if ready.reason == "Drifted" => clean(&ready.message),
        (_, Some(failure)) => failure_text(failure),
        _ => String::new(),
    }
}

/// A failure in words, its object first.
pub(crate) fn failure_text(failure: &LabFailure) -> String {
    if failure.object.is_empty() || failure.message.starts_with(&failure.object) {
        return clean(&failure.message);
    }
    clean(&format!("{}: {}", failure.object, failure.message))
}

/// A phase in one word.
pub(crate) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Unspecified => "Unknown",
        Phase::Pending => "Pending",
        Phase::Converging => "Converging",
        Phase::Ready => "Ready",
        Phase::Degraded => "Degraded",
        Phase::Failed => "Failed",
        Phase::Deleting => "Deleting",
    }
}
