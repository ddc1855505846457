//! What systemd is told, `sd_notify(3)`: that netlabd is up, reads its configuration, stops, and in one line
//! how it is. Without systemd all of this does nothing.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use netlab_proto::v1::Phase;
use sd_notify::NotifyState;
use tokio::signal::unix::Signal;

use crate::{
    api::tls,
    kernel::Linux,
    policy::{
        Config, Policy,
        config::{Limits, MetricsConfig},
    },
    reconcile::Manager,
};

/// How often the line is looked at; only one that has changed is told.
const LOOK: Duration = Duration::from_secs(1);

/// Says that netlabd is up. Then reads the configuration again at each SIGHUP, as `systemctl reload`
/// sends it, and keeps the line of `systemctl status` true. Never returns.
pub(super) async fn serve(
    mut hangup: Signal,
    policy: Policy,
    remote: Option<tls::Remote>,
    manager: Manager,
    kernel: Arc<Linux>,
) {
    let mut refused = None;
    let mut told = line(&manager.phases(), None);
    tracing::info!("ready");
    notify(&[NotifyState::Ready, NotifyState::Status(&told)]);
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            Some(()) = hangup.recv() => {
                reloading();
                refused = reload(&policy, remote.as_ref()).err();
                let lab = policy.config().lab;
                kernel.limit(lab.into(), lab.into());
                told = line(&manager.phases(), refused.as_deref());
                notify(&[NotifyState::Ready, NotifyState::Status(&told)]);
            }
            _ = looks.tick() => {
                let now = line(&manager.phases(), refused.as_deref());
                if now != told {
                    notify(&[NotifyState::Status(&now)]);
                    told = now;
                }
            }
        }
    }
}

/// Says that netlabd stops.
pub(super) fn stopping() {
    tracing::info!("stopping; labs run on");
    notify(&[NotifyState::Stopping]);
}

/// Says why netlabd ends by itself. `systemctl status` leaves out what a process that ended at once has written, where
/// that was before systemd had noted the start (`inactive_exit_timestamp_monotonic`).
pub(super) fn ended(why: &impl std::fmt::Display) {
    let text = why.to_string();
    notify(&[NotifyState::Status(&format!("ended: {}", text.replace('\n', " ")))]);
}

/// Tells systemd, if it listens.
pub(super) fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd cannot be notified");
    }
}

fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "the time is not known"),
    }
}

/// Reads and uses the configuration and the files that it names; all of it or, on an error, nothing.
fn renew(policy: &Policy, remote: Option<&tls::Remote>) -> Result<(), Box<dyn std::error::Error>> {
    let config = policy.read()?;
    let ready = match remote {
        Some(remote) => Some((remote, remote.read(&config.tls)?)),
        None => None,
    };
    policy.put(config);
    if let Some((remote, ready)) = ready {
        remote.put(ready);
    }
    Ok(())
}

/// Reads the configuration again; one that cannot be used changes nothing.
fn reload(policy: &Policy, remote: Option<&tls::Remote>) -> Result<(), String> {
    let before = policy.config();
    match renew(policy, remote) {
        Ok(()) if restarts(&policy.config()) == restarts(&before) => {
            tracing::info!("the configuration was read again");
            Ok(())
        }
        Ok(()) => {
            tracing::warn!(
                "the configuration was read again; what changed in [limits], [metrics] or listen of [tls] needs a restart"
            );
            Ok(())
        }
        Err(error) => {
            tracing::error!(%error, "the configuration stays as it was: the file cannot be used");
            Err(error.to_string())
        }
    }
}

/// What of the configuration takes effect at a start only.
fn restarts(config: &Config) -> (Limits, &MetricsConfig, &[SocketAddr]) {
    (config.limits, &config.metrics, &config.tls.listen)
}

/// `3 labs: 2 ready, 1 failed`, and what is wrong with the configuration.
fn line(phases: &BTreeMap<Phase, usize>, refused: Option<&str>) -> String {
    let total: usize = phases.values().sum();
    let each: Vec<_> = phases.iter().map(|(phase, count)| format!("{count} {}", phase.word())).collect();
    let labs = match total {
        0 => "no labs".to_owned(),
        1 => format!("1 lab: {}", each.join(", ")),
        _ => format!("{total} labs: {}", each.join(", ")),
    };
    match refused {
        Some(error) => format!("{labs}; the configuration is the old one: {error}"),
        None => labs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_counts_labs_and_tells_of_a_broken_file() {
        assert_eq!(line(&BTreeMap::new(), None), "no labs");
        assert_eq!(line(&BTreeMap::from([(Phase::Ready, 1)]), None), "1 lab: 1 ready");
        let phases = BTreeMap::from([(Phase::Failed, 1), (Phase::Ready, 2)]);
        assert_eq!(
            line(&phases, Some("c.toml:3:1: no")),
            "3 labs: 2 ready, 1 failed; the configuration is the old one: c.toml:3:1: no"
        );
    }
}
