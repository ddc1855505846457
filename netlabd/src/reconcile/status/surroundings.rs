//! What else has a say in whether a lab's packets pass: the host's firewall, ports that do not forward yet.

use super::{Sight, Status, named};
use crate::firewall::FirewallReport;

/// The condition that tells of the host.
pub(super) const HOST: &str = "HostReady";

/// The condition that tells of ports of bridges that run the Spanning Tree Protocol.
pub(super) const FORWARDING: &str = "Forwarding";

/// Status, reason and message of [`HOST`].
fn of_host(verdict: &FirewallReport) -> (&'static str, &'static str, &str) {
    match verdict {
        FirewallReport::Open => (
            "True",
            "NothingInTheWay",
            "no firewall rule of others drops the lab's traffic, no route of others leads it elsewhere, and nothing else \
             listens on what it publishes",
        ),
        FirewallReport::Contested(message) => ("False", "RouteOverlaps", message),
        FirewallReport::Drops(message) => ("False", "FirewallDrops", message),
        FirewallReport::Shadows(message) => ("False", "PortTaken", message),
        FirewallReport::Steers(message) => ("False", "RedirectsHeard", message),
        FirewallReport::Unknown(message) => ("Unknown", "FirewallUnclear", message),
    }
}

/// Status, reason and message of [`FORWARDING`]; `learning` are the ports that do not forward yet.
fn of_ports(learning: &[String]) -> (&'static str, &'static str, String) {
    if learning.is_empty() {
        let message = "no port of a bridge that runs the Spanning Tree Protocol listens or learns";
        return ("True", "PortsSettled", message.to_owned());
    }
    let message = format!(
        "these bridges run the Spanning Tree Protocol, and their ports listen and learn, and forward nothing yet: {}; \
         that takes twice the forward delay (30 s unless set) from when a port comes up",
        named(learning)
    );
    ("False", "PortsLearning", message)
}

impl Status {
    /// What else has a say in whether packets pass: the host's firewall, ports that do not forward yet.
    pub(in crate::reconcile) fn surroundings(&mut self, sight: &Sight) {
        match &sight.verdict {
            None => self.conditions.retain(|condition| condition.r#type != HOST),
            Some(verdict) => {
                let (status, reason, message) = of_host(verdict);
                self.set(HOST, status, reason, message);
            }
        }
        match &sight.learning {
            None => self.conditions.retain(|condition| condition.r#type != FORWARDING),
            Some(learning) => {
                let (status, reason, message) = of_ports(learning);
                self.set(FORWARDING, status, reason, &message);
            }
        }
    }

    /// Whether that is what is told of them already.
    pub(in crate::reconcile) fn knows_surroundings(&self, sight: &Sight) -> bool {
        let told = |kind: &str| {
            let told = self.conditions.iter().find(|condition| condition.r#type == kind);
            told.map(|told| (told.status.as_str(), told.reason.as_str(), told.message.as_str()))
        };
        let ports = sight.learning.as_deref().map(of_ports);
        told(HOST) == sight.verdict.as_ref().map(of_host)
            && told(FORWARDING)
                == ports.as_ref().map(|(status, reason, message)| (*status, *reason, message.as_str()))
    }
}
