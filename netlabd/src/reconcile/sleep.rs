//! What an actor does between two looks at its lab.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::entry::Entry;

/// How often a lab is looked at when nothing wakes its actor.
const RESYNC: Duration = Duration::from_secs(30);
/// After an event, more of the same is waited for: a command of others is many events. Twice as long
/// each time that events come at once and tell of nothing wrong: somebody inside a lab may make a lot
/// of noise, which must not keep the daemon busy.
const DEBOUNCE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(640));
/// First and longest time before something that failed is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// How an actor sleeps; commands end every sleep at once.
pub(super) struct Sleep {
    retry: Duration,
    debounce: Duration,
    /// How often the lab had been repaired when the last event came.
    repaired: u64,
}

impl Default for Sleep {
    fn default() -> Self {
        Self { retry: RETRY.0, debounce: DEBOUNCE.0, repaired: 0 }
    }
}

impl Sleep {
    /// Until something happens.
    pub(super) async fn rest(&mut self, entry: &Entry) {
        self.retry = RETRY.0;
        let since = Instant::now();
        let event = timeout(RESYNC, entry.event.notified());
        tokio::select! {
            () = entry.command.notified() => return,
            event = event => if event.is_err() { return },
        }
        let repaired = entry.state().record.drift_repaired;
        let noisy = repaired == self.repaired && since.elapsed() < DEBOUNCE.1;
        self.debounce = if noisy { (self.debounce * 2).min(DEBOUNCE.1) } else { DEBOUNCE.0 };
        self.repaired = repaired;
        let _ = timeout(self.debounce, entry.command.notified()).await;
    }

    /// Until another try may do better. What failed has made events of its own, which must not make
    /// it try again and again without a pause.
    pub(super) async fn before_retry(&mut self, entry: &Entry) {
        let pause = self.retry;
        self.retry = (pause * 2).min(RETRY.1);
        entry.forget_events();
        let rest = async {
            tokio::time::sleep(RETRY.0).await;
            // What ends it early does not matter.
            let _ = timeout(pause.saturating_sub(RETRY.0), entry.event.notified()).await;
        };
        tokio::select! {
            () = entry.command.notified() => self.retry = RETRY.0,
            () = rest => {}
        }
    }
}
