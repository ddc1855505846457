//! Whether netlabd is well, for systemd and for clients.
//!
//! Systemd's watchdog, `WatchdogSec=` in systemd.service(5): it is told that netlabd is well only while it
//! is. Otherwise systemd kills netlabd and starts it anew, which harms no lab. Clients ask `grpc.health.v1`,
//! which tells the same.

use std::{sync::Arc, time::Duration};

use tonic_health::{ServingStatus, server::HealthReporter};

use super::notify::notify;
use crate::{api::server::SERVICES, kernel::Linux, reconcile::Manager, store::Store};

/// Longest time that a lab's work in the kernel may make no progress.
const STUCK: Duration = Duration::from_secs(120);

/// What is asked how it is.
#[derive(Clone)]
pub(super) struct Vitals {
    /// The labs: each must be free to be looked at.
    pub(super) manager: Manager,
    /// The store must take a writer.
    pub(super) store: Store,
    /// The kernel must get on with what it was asked.
    pub(super) kernel: Arc<Linux>,
}

impl Vitals {
    /// Whether all is well, found out within `limit`; otherwise what is not.
    async fn check(&self, limit: Duration) -> Result<(), String> {
        let busy = self.kernel.busy_for();
        if busy > STUCK {
            return Err(format!("a lab's work in the kernel is stuck for {} s", busy.as_secs()));
        }
        let (manager, store) = (self.manager.clone(), self.store.clone());
        responds("the store", limit / 2, move || store.pulse().map_err(|error| error.to_string())).await?;
        responds("a lab", limit / 2, move || {
            manager.phases();
            Ok(())
        })
        .await
    }
}

/// Runs what may block for ever.
async fn responds(
    what: &str,
    limit: Duration,
    ask: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> Result<(), String> {
    match tokio::time::timeout(limit, tokio::task::spawn_blocking(ask)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(panic)) => Err(format!("{what}: {panic}")),
        Err(_) => Err(format!("{what} has not responded for {} s", limit.as_secs())),
    }
}

/// Tells systemd three times a period that netlabd is well, for as long as it is. Returns at once where
/// systemd does not ask.
pub(super) async fn watchdog(vitals: Vitals) {
    let Some(period) = sd_notify::watchdog_enabled() else { return };
    let mut turns = tokio::time::interval(period / 3);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        match vitals.check(period / 2).await {
            Ok(()) => notify(&[sd_notify::NotifyState::Watchdog]),
            Err(reason) => tracing::error!(reason, "unhealthy: the watchdog is not notified"),
        }
    }
}

/// How often it is found out what clients are told.
const LOOK: Duration = Duration::from_secs(2);
/// How long that may take: a busy machine is no ill one.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tells clients how netlabd is, for ever.
pub(super) async fn tell(vitals: Vitals, reporter: HealthReporter) {
    let mut turns = tokio::time::interval(LOOK);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut before = Some(None);
    loop {
        turns.tick().await;
        let ill = vitals.check(PATIENCE).await.err();
        if before.as_ref() != Some(&ill) {
            if let Some(reason) = &ill {
                tracing::error!(reason, "unhealthy: clients that ask for health see it");
            }
            say(&reporter, ill.as_deref()).await;
            before = Some(ill);
        }
    }
}

/// Tells clients that all services serve, or, for a reason, do not.
pub(super) async fn say(reporter: &HealthReporter, ill: Option<&str>) {
    let status = if ill.is_none() { ServingStatus::Serving } else { ServingStatus::NotServing };
    for service in SERVICES {
        reporter.set_service_status(service, status).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_held_lock_an_error_and_a_panic_are_noticed() {
        // Long for what answers, on a busy machine too; short for what never does.
        let (limit, short) = (Duration::from_secs(60), Duration::from_millis(10));
        assert_eq!(responds("it", limit, || Ok(())).await, Ok(()));
        let failed = responds("it", limit, || Err("no".to_owned())).await;
        assert_eq!(failed, Err("no".to_owned()));
        assert!(responds("it", limit, || panic!("in a test")).await.unwrap_err().contains("panicked"));
        let (held, release) = std::sync::mpsc::channel::<()>();
        let hangs = responds("it", short, move || {
            let _ = release.recv();
            Ok(())
        });
        assert_eq!(hangs.await, Err("it has not responded for 0 s".to_owned()));
        drop(held);
    }
}
