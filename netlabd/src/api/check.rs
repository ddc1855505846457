//! Runs a lab's checks, all at once.

use std::{os::fd::AsFd, sync::Arc, time::Duration};

use netlab_proto::v1 as proto;
use tonic::{Code, Status};

use super::status;
use crate::{
    model::{Check, Lab, Place},
    platform, probe,
};

/// How long a check that expects no answer waits for one, at most: an answer comes at once or not at
/// all, but the first packet may have to wait for ARP (RFC 1122: one request a second).
const SILENCE: Duration = Duration::from_millis(1_500);

/// Requests after the first, spread over the wait.
const RETRIES: u32 = 5;

/// Runs all checks of a lab; one result each, in order.
pub(super) async fn run(
    kernel: &Arc<dyn platform::Nodes>,
    lab: &Arc<Lab>,
    timeout: Duration,
) -> Result<Vec<proto::CheckResult>, Status> {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..lab.checks.len() {
        let (kernel, lab) = (kernel.clone(), lab.clone());
        tasks.spawn(async move { (number, one(&*kernel, &lab, &lab.checks[number], timeout).await) });
    }
    let mut results = vec![proto::CheckResult::default(); lab.checks.len()];
    while let Some(done) = tasks.join_next().await {
        let crashed = |_| status::status(Code::Internal, "CRASHED", "a check crashed; the log says more");
        let (number, result) = done.map_err(crashed)?;
        results[number] = result;
    }
    Ok(results)
}

async fn one(
    kernel: &dyn platform::Nodes,
    lab: &Lab,
    check: &Check,
    timeout: Duration,
) -> proto::CheckResult {
    let mut result = proto::CheckResult {
        check: Some(proto::Check {
            from: check.from.to_string(),
            to: check.to.to_string(),
            reachable: Some(check.reachable),
        }),
        ..proto::CheckResult::default()
    };
    let seen = async {
        let address = lab.address_for(&check.from, &check.to)?;
        result.address = address.to_string();
        let node = if let Place::Node(node) = &check.from { Some(node) } else { None };
        let namespace = kernel.namespace(&lab.name, node).map_err(|failure| failure.to_string())?;
        let namespace = namespace.ok_or_else(|| format!("the namespace of {} is gone", check.from))?;
        let wait = if check.reachable { timeout } else { timeout.min(SILENCE) };
        Ok::<_, String>(probe::probe_once(namespace.as_fd(), address.into(), wait, RETRIES).await)
    };
    match seen.await {
        Ok(seen) => {
            result.reachable = seen.reachable;
            result.passed = seen.reachable == check.reachable;
            result.rtt_us = seen.rtt.map_or(0, |rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX));
            result.detail = seen.detail;
        }
        Err(error) => result.detail = error,
    }
    result
}
