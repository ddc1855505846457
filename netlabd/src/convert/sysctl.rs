//! Sysctls of a node.

use std::collections::BTreeMap;

use crate::model::{IfName, PerInterface, SysctlKey};

use super::draft::Site;
use crate::input::{Path, Sink, shown};

/// Longest value in bytes.
const MAX_VALUE: usize = 256;

/// Sysctls behind `forwarding`.
const FORWARDING: [&str; 3] =
    ["net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding", "net.ipv6.conf.all.forwarding"];

/// Most bytes of fragments that a node may keep, per protocol: the kernel's default (`net/ipv4/ip_fragment.c`).
const FRAGMENTS: u64 = 4 << 20;

/// Reads the sysctls of a node. Two spellings of one key cannot be: the swap of `.` and `/` that
/// leads to the file is one to one.
pub(super) fn read(
    site: &Site,
    sysctls: &BTreeMap<String, String>,
    sink: &mut Sink,
) -> BTreeMap<SysctlKey, String> {
    let mut read = BTreeMap::new();
    for (key, value) in sysctls {
        let path = site.path.field("sysctls").key(key);
        check_value(value, &path, sink);
        let Some(key) = sink.parse::<SysctlKey>(&path, key) else { continue };
        if FORWARDING.contains(&key.as_str()) {
            sink.add(&path, format!("\"{key}\" is set by the node's field forwarding; use that"));
        }
        check_fragments(&key, value, &path, sink);
        check_secret(&key, value, &path, sink);
        check_interface(site, &key, &path, sink);
        check_settings(site, &key, &path, sink);
        read.insert(key, value.clone());
    }
    read
}

/// Reads the sysctls of the host: of the lab's own interfaces there alone.
pub(super) fn read_of_host(
    site: &Site,
    sysctls: &BTreeMap<String, String>,
    sink: &mut Sink,
) -> BTreeMap<SysctlKey, String> {
    let mut of_interfaces = sysctls.clone();
    of_interfaces.retain(|text, _| {
        let key = text.parse::<SysctlKey>();
        let own = key.is_err() || key.is_ok_and(|key| key.interface().is_some_and(|name| name != IfName::loopback()));
        if !own {
            let path = site.path.field("sysctls").key(text);
            let example = site.interfaces.keys().next().map_or("lab0", IfName::as_str).replace('.', "/");
            sink.add(
                &path,
                format!(
                    "\"{text}\" is not of an interface that the lab has on the host; only those can be set there: \
                     net.ipv4.conf.{example}.KEY"
                ),
            );
        }
        own
    });
    read(site, &of_interfaces, sink)
}

/// What has a field of its interface is said there or here.
fn check_settings(site: &Site, key: &SysctlKey, path: &Path, sink: &mut Sink) {
    let Some(per) = PerInterface::of(key) else { return };
    let Some(draft) = per.of.parse::<IfName>().ok().and_then(|name| site.interfaces.get(&name)) else {
        return;
    };
    let field = match (per.folder.as_str(), per.name.as_str()) {
        ("net/ipv4/conf", "proxy_arp") if draft.proxy_arp.is_some() => "proxy_arp",
        ("net/ipv6/conf", "accept_ra") if draft.accept_ra.is_some() => "accept_ra",
        ("net/ipv6/conf", "accept_ra" | "autoconf") if draft.slaac => "addresses: [slaac]",
        _ => return,
    };
    sink.add(path, format!("\"{key}\" is set by {field} of interface {}; leave one of both out", per.of));
}

fn check_value(value: &str, path: &Path, sink: &mut Sink) {
    if value.trim().is_empty() {
        sink.add(path, "the value is empty; write it as a text such as \"0\"");
    } else if value.len() > MAX_VALUE {
        sink.add(path, format!("the value has {} bytes; at most {MAX_VALUE} are allowed", value.len()));
    } else if value.chars().any(char::is_control) {
        sink.add(path, "the value must be one line of printable characters; part numbers by single spaces");
    }
}

/// Fragments that wait for their rest are kernel memory, which no bound of the lab counts.
fn check_fragments(key: &SysctlKey, value: &str, path: &Path, sink: &mut Sink) {
    let bounded =
        key.as_str().ends_with("_thresh") && crate::sandbox::FRAGMENTS.contains(&key.path().as_str());
    if bounded && !value.trim().parse().is_ok_and(|bytes: u64| bytes <= FRAGMENTS) {
        sink.add(
            path,
            format!(
                "the value is {}; at most {FRAGMENTS} bytes are allowed, as no bound of the lab counts memory for fragments",
                shown(value)
            ),
        );
    }
}

/// The kernel takes a secret for addresses (RFC 7217) and never gives it up again (`addrconf_sysctl_stable_secret` in
/// net/ipv6/addrconf.c, Linux 6.18): what a file has said once could not be taken back.
fn check_secret(key: &SysctlKey, value: &str, path: &Path, sink: &mut Sink) {
    let Some(per) = PerInterface::of(key).filter(|per| per.folder == "net/ipv6/conf") else { return };
    let by_secret = per.name == "addr_gen_mode" && value.trim() == "2";
    if by_secret || per.name == "stable_secret" {
        sink.add(
            path,
            format!(
                "\"{key}\" makes addresses out of a secret, which the kernel does not give up when the file no longer \
                 says it; write the addresses, or the interface's mac"
            ),
        );
    }
}

/// `net.ipv4.conf.NAME.x` and its kin name an interface of the node.
fn check_interface(site: &Site, key: &SysctlKey, path: &Path, sink: &mut Sink) {
    let file = key.path();
    let parts: Vec<&str> = file.split('/').collect();
    let ["net", family @ ("ipv4" | "ipv6"), folder @ ("conf" | "neigh"), rest @ ..] = &parts[..] else {
        return;
    };
    let [.., last] = rest else { return };
    let prefix = format!("net.{family}.{folder}");
    if rest.len() < 2 {
        sink.add(path, format!("\"{key}\" is a folder; write {prefix}.NAME.KEY"));
        return;
    }
    let name = rest[..rest.len() - 1].join(".");
    if rest.len() > 2 {
        let spelt = name.replace('.', "/");
        sink.add(
            path,
            format!("\"{key}\" has too many parts; write {prefix}.{spelt}.{last} for the interface {name}"),
        );
        return;
    }
    if name == "default" || (name == "all" && *folder == "conf") {
        return;
    }
    match name.parse::<IfName>() {
        Ok(name) if name == IfName::loopback() => {}
        Ok(name) => {
            site.find(&name, path, sink);
        }
        Err(error) => sink.add(path, format!("the interface {} {error}", shown(&name))),
    }
}
