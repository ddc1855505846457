//! `netlab.v1.HostService`.

use std::{path::Path, sync::Arc};

use netlab_proto::v1 as proto;
use proto::{finding::Severity, host_service_server::HostService};
use tonic::{Request, Response, Status};

use super::{caller::access, neighbours};
use crate::{
    feature::Feature,
    firewall::{self, FirewallReport},
    model::is_fallback_device,
    platform,
    policy::{Config, Ids, Known, Policy},
};

/// The service.
pub(super) struct HostApi {
    kernel: Arc<dyn platform::Nodes>,
    policy: Policy,
}

impl HostApi {
    /// Speaks of the host that `kernel` runs.
    pub(super) fn new(kernel: Arc<dyn platform::Nodes>, policy: Policy) -> Self {
        Self { kernel, policy }
    }
}

#[tonic::async_trait]
impl HostService for HostApi {
    async fn get_host(
        &self,
        request: Request<proto::GetHostRequest>,
    ) -> Result<Response<proto::GetHostResponse>, Status> {
        access(&self.policy, &request)?;
        Ok(Response::new(proto::GetHostResponse {
            daemon_version: env!("CARGO_PKG_VERSION").to_owned(),
            api_revision: netlab_proto::REVISION,
            kernel_release: kernel_release(),
        }))
    }

    async fn diagnose_host(
        &self,
        request: Request<proto::DiagnoseHostRequest>,
    ) -> Result<Response<proto::DiagnoseHostResponse>, Status> {
        access(&self.policy, &request)?;
        let (kernel, config) = (self.kernel.clone(), self.policy.config());
        let findings = tokio::task::spawn_blocking(move || diagnose(&*kernel, &config))
            .await
            .map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new(proto::DiagnoseHostResponse {
            findings,
            daemon_version: env!("CARGO_PKG_VERSION").to_owned(),
            kernel_release: kernel_release(),
            api_revision: netlab_proto::REVISION,
        }))
    }
}

fn kernel_release() -> String {
    read("/proc/sys/kernel/osrelease").unwrap_or_default()
}

fn read(path: &str) -> Option<String> {
    Some(std::fs::read_to_string(path).ok()?.trim().to_owned())
}

fn finding(area: &str, name: &str, severity: Severity, message: impl Into<String>) -> proto::Finding {
    proto::Finding {
        area: area.to_owned(),
        name: name.to_owned(),
        severity: severity.into(),
        message: message.into(),
    }
}

fn diagnose(kernel: &dyn platform::Nodes, config: &Config) -> Vec<proto::Finding> {
    let mut findings: Vec<_> =
        kernel.features().into_iter().map(|feature| of_feature(kernel, feature)).collect();
    findings.extend(["user", "net", "mnt", "pid"].into_iter().filter_map(limit));
    findings.push(bounds(kernel));
    findings.push(ids(kernel, config.ids));
    let tables = neighbours::findings(config.quotas.nodes).into_iter();
    findings.extend(tables.map(|(name, severity, message)| finding("limit", &name, severity, message)));
    findings.push(forwarding());
    findings.extend(fallback_devices());
    findings.push(modules());
    findings.push(of_firewall(kernel));
    findings
}

fn of_feature(kernel: &dyn platform::Nodes, feature: Feature) -> proto::Finding {
    // Without these no lab works at all.
    let vital = matches!(feature, Feature::USER_NAMESPACES | Feature::VETH);
    match kernel.probe(feature) {
        Ok(()) => finding("feature", feature.config(), Severity::Ok, "works"),
        Err(failure) if failure.tells_nothing() => finding(
            "feature",
            feature.config(),
            if vital { Severity::Error } else { Severity::Warning },
            format!("it cannot be tried whether the kernel has it: {}", failure.message),
        ),
        Err(failure) if vital => finding(
            "feature",
            feature.config(),
            Severity::Error,
            format!("{}; no lab works without it: boot a kernel that has it", failure.message),
        ),
        Err(failure) if feature == Feature::GUARD => finding(
            "feature",
            feature.config(),
            Severity::Warning,
            format!(
                "{}; labs that forward or translate are refused, and while the host has \
                 net.ipv4.conf.all.accept_redirects=1 others can change its routes by ICMP redirects: set it to 0, load \
                 the module nf_tables or boot a kernel that has it",
                failure.message
            ),
        ),
        Err(failure) => finding(
            "feature",
            feature.config(),
            Severity::Warning,
            format!(
                "{}; labs that need it are refused: load its module or boot a kernel that has it",
                failure.message
            ),
        ),
    }
}

/// Limits of namespaces, `user_namespaces(7)`; all labs count for root.
fn limit(kind: &str) -> Option<proto::Finding> {
    const FEW: u64 = 1_000;
    let name = format!("user.max_{kind}_namespaces");
    let value: u64 = read(&format!("/proc/sys/user/max_{kind}_namespaces"))?.parse().ok()?;
    Some(match value {
        0 => finding(
            "limit",
            &name,
            Severity::Error,
            format!("0: root cannot make any either; set {name} higher"),
        ),
        few if few < FEW => finding(
            "limit",
            &name,
            Severity::Warning,
            format!("{few}: large labs will fail with ENOSPC; raise it"),
        ),
        many => finding("limit", &name, Severity::Ok, many.to_string()),
    })
}

/// Bounds of the processes of labs, `cgroups(7)`.
fn bounds(kernel: &dyn platform::Nodes) -> proto::Finding {
    let about = |severity, message| finding("limit", "cgroup", severity, message);
    match kernel.bounds() {
        Ok(parent) => about(
            Severity::Ok,
            format!("memory and number of the processes of each lab are bounded, below {}", parent.display()),
        ),
        Err(reason) => about(
            Severity::Warning,
            format!(
                "{reason}: the memory of labs' processes is not bounded, and their number by RLIMIT_NPROC only; boot \
                 with cgroup v2 and its controllers memory and pids (systemd.unified_cgroup_hierarchy=1), or give \
                 netlabd's container a writable cgroup that has them, and restart netlabd"
            ),
        ),
    }
}

/// Who else has ids that labs have, or could have.
fn ids(kernel: &dyn platform::Nodes, ids: Ids) -> proto::Finding {
    const SHOWN: usize = 3;
    let about = |severity, message| finding("host", "ids", severity, message);
    let known = Known::read();
    let used = kernel.ids_in_use().unwrap_or_default();
    if let Some(who) = used.into_iter().find_map(|first| known.conflict(first)) {
        return about(
            Severity::Warning,
            format!(
                "a lab has ids of {who}, whose files it may read and write: delete that lab and create it again, it is \
                 given others (/proc/self/uid_map in its nodes tells which)"
            ),
        );
    }
    let all: Vec<_> = known.within(&ids.all()).collect();
    if all.is_empty() {
        return about(
            Severity::Ok,
            format!("labs have ids {ids}, and nobody else on this host has any of them"),
        );
    }
    let shown = all.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    let more = if all.len() > SHOWN { format!(" and {} more", all.len() - SHOWN) } else { String::new() };
    about(
        Severity::Warning,
        format!(
            "ids {ids} are for labs, but {shown}{more} have some of them: labs get none of those; set first and labs in \
             [ids] of netlabd's configuration to a range of their own"
        ),
    )
}

/// The host's forwarding, which labs turn on.
fn forwarding() -> proto::Finding {
    let forwarding = read("/proc/sys/net/ipv4/ip_forward").as_deref() == Some("1");
    let message = if forwarding {
        "the host forwards IPv4 already; labs leave that on"
    } else {
        "the host does not forward IPv4; labs that ask for it turn it on and off again"
    };
    finding("host", "net.ipv4.ip_forward", Severity::Ok, message)
}

/// Devices that tunnel modules leave on the host when a lab's root makes the kernel load them: ip-sysctl.rst,
/// `fb_tunnels_only_for_init_net`.
fn fallback_devices() -> Option<proto::Finding> {
    const KEY: &str = "net.core.fb_tunnels_only_for_init_net";
    let value = read("/proc/sys/net/core/fb_tunnels_only_for_init_net")?;
    let devices = read("/proc/net/dev").unwrap_or_default();
    let present: Vec<_> = devices
        .lines()
        .filter_map(|line| line.split_once(':').map(|(name, _)| name.trim()))
        .filter(|name| is_fallback_device(name))
        .collect();
    Some(match (value.as_str(), present.is_empty()) {
        ("2", true) => finding("host", KEY, Severity::Ok, "2: tunnel modules make no devices by themselves"),
        ("2", false) => finding(
            "host",
            KEY,
            Severity::Ok,
            format!(
                "2: tunnel modules make no devices by themselves; {} came before that was set, and {} until a reboot",
                present.join(", "),
                if present.len() == 1 { "stays" } else { "stay" }
            ),
        ),
        (value, _) => finding(
            "host",
            KEY,
            Severity::Warning,
            format!(
                "{value}: a tunnel that somebody makes in a lab can make the kernel load a module, which leaves a device \
                 such as tunl0 on the host and in every node; netlab's packages set 2 (/usr/lib/sysctl.d/60-netlab.conf): sysctl -w {KEY}=2"
            ),
        ),
    })
}

/// Modules that commands in a lab can make the kernel load: rtnetlink asks for them by the name of a kind without
/// looking at capabilities (`request_module("rtnl-link-%s")` in net/core/rtnetlink.c).
fn modules() -> proto::Finding {
    let about = |message| finding("host", "modules", Severity::Ok, message);
    let disabled = read("/proc/sys/kernel/modules_disabled").as_deref() == Some("1");
    if disabled || !Path::new("/proc/modules").exists() {
        return about("the kernel loads no modules, whatever a lab asks for");
    }
    about(
        "commands in a lab can make the kernel load the modules of network kinds (ipip, team, sch_cake, ...), as any user \
         with a user namespace can; what must not be loaded is an `install MODULE /bin/false` in /etc/modprobe.d",
    )
}

/// Rules of others that would drop what labs send through the host.
fn of_firewall(kernel: &dyn platform::Nodes) -> proto::Finding {
    let about = |severity, message: String| finding("host", "firewall", severity, message);
    let firewall = match kernel.firewall() {
        Ok(firewall) => firewall,
        Err(failure) => return about(Severity::Warning, failure.to_string()),
    };
    match firewall::judge(&firewall, &firewall::any_lab(&firewall)) {
        FirewallReport::Open => about(Severity::Ok, "no rule of others drops what labs send out".to_owned()),
        FirewallReport::Contested(message)
        | FirewallReport::Drops(message)
        | FirewallReport::Shadows(message)
        | FirewallReport::Steers(message)
        | FirewallReport::Unknown(message) => about(
            Severity::Warning,
            format!("{message} (LAB-INTERFACE: the interface of the lab on the host)"),
        ),
    }
}
