//! Whether a lab can change the host's routes by ICMP redirects (RFC 792), for want of nftables to drop them.

use crate::{
    model::{
        Place, SysctlKey,
        observed::{Observed, RulesState},
    },
    plan::Target,
};

/// What decides for all interfaces that do not forward.
const ALL: &str = "net.ipv4.conf.all.accept_redirects";

/// Tells so, and what ends it. `sysctl` reads the host's.
///
/// The lab's interfaces have `accept_redirects` off. That is not enough where one does not forward: the kernel then
/// asks whether the interface *or* `all` allows it (`IN_DEV_RX_REDIRECTS` in `linux/inetdevice.h`), and only the lab's
/// guard stands before it.
pub(super) fn heard(
    target: &Target,
    observed: &Observed,
    sysctl: impl Fn(&SysctlKey) -> Option<String>,
) -> Option<String> {
    let guard = target.host()?.guard.as_ref()?;
    let seen = observed.places.get(&Place::Host)?.guard;
    let is = |path: &str, value: &str| {
        SysctlKey::from_path(path).ok().and_then(|key| sysctl(&key)).is_some_and(|now| now == value)
    };
    if seen != RulesState::Unsupported || !is(&ALL.replace('.', "/"), "1") {
        return None;
    }
    let kept = guard.ends.iter().filter(|end| !guard.heard.contains(end));
    let end = kept.into_iter().find(|end| is(&format!("net/ipv4/conf/{end}/forwarding"), "0"))?;
    Some(format!(
        "this kernel has no nftables (CONFIG_NF_TABLES_INET) to drop ICMP redirects, and {ALL} is 1 on the host: what comes \
         from {end} can change the host's routes; set it to 0 (sysctl -w {ALL}=0), or boot a kernel that has nftables"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{convert, model::observed::PlaceState};

    fn target(host: &str) -> Target {
        let json = format!(
            r#"{{"name": "t", "nodes": {{"n": {{}}}}, "host": {{"interfaces": {{"lab0": {{}}}}{host}}},
                "links": [{{"endpoints": ["n:eth0", "host:lab0"]}}]}}"#
        );
        Target::new(&convert::lab(&serde_json::from_str(&json).unwrap()).unwrap(), "uid")
    }

    fn told(target: &Target, guard: RulesState, all: &str, forwarding: &str) -> Option<String> {
        let mut observed = Observed::default();
        observed.places.insert(Place::Host, PlaceState { guard, ..PlaceState::default() }.into());
        heard(target, &observed, |key| {
            let value = if key.as_str().ends_with("forwarding") { forwarding } else { all };
            Some(value.to_owned())
        })
    }

    #[test]
    fn only_where_the_host_hears_them() {
        let plain = target("");
        let words = told(&plain, RulesState::Unsupported, "1", "0").unwrap();
        assert!(words.contains("lab0") && words.contains("sysctl -w net.ipv4.conf.all.accept_redirects=0"));
        assert_eq!(told(&plain, RulesState::AsWanted, "1", "0"), None, "a rule drops them");
        assert_eq!(told(&plain, RulesState::Unsupported, "0", "0"), None, "nobody allows them");
        assert_eq!(told(&plain, RulesState::Unsupported, "1", "1"), None, "both would have to allow them");
        let meant = target(r#", "sysctls": {"net.ipv4.conf.lab0.accept_redirects": "1"}"#);
        assert_eq!(told(&meant, RulesState::Unsupported, "1", "0"), None, "the lab file asks for it");
    }
}
