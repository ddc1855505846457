//! What a hand may break of a running lab.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::{host::TestHost, rng::Rng};

/// One way to break a lab.
#[derive(Debug, Clone)]
pub struct Damage {
    /// What it is, for the table.
    pub kind: &'static str,
    /// A shell script that does it.
    pub script: String,
}

/// Something to break of a lab as it is wanted; `None` if it has nothing.
pub fn of(host: &TestHost, lab: &str, spec: &Value, rng: &mut Rng) -> Option<Damage> {
    let nodes: Vec<&String> = spec["nodes"].as_object()?.keys().collect();
    if nodes.is_empty() {
        return None;
    }
    let space = format!("{lab}.{}", rng.of(&nodes));
    let links = host.exec(&space, "ls /sys/class/net").stdout;
    let links: Vec<&str> = links.split_whitespace().filter(|name| *name != "lo").collect();
    let (kind, script) = match rng.below(13) {
        0 => ("namespace deleted", format!("ip netns del {space}")),
        1 => ("pin deleted", format!("umount -l /run/netns/{space}; rm -f /run/netns/{space}")),
        2 => ("rules flushed", format!("ip netns exec {space} nft flush ruleset")),
        3 => ("routes flushed", format!("ip -n {space} route flush table main proto 78")),
        4 => (
            "sysctl changed",
            format!("ip netns exec {space} sysctl -qw net.ipv4.ip_forward=1 net.ipv4.ip_forward=0"),
        ),
        5 => (
            "rules of routing deleted",
            format!("ip -n {space} rule flush protocol 78; ip -n {space} -6 rule flush protocol 78"),
        ),
        6 => ("neighbours deleted", format!("ip -n {space} neigh flush nud permanent")),
        _ if links.is_empty() => return None,
        other => {
            let link = *rng.of(&links);
            match other {
                7 => ("interface deleted", format!("ip -n {space} link del {link}")),
                8 => ("interface set down", format!("ip -n {space} link set {link} down")),
                9 => ("MTU changed", format!("ip -n {space} link set {link} mtu 1280")),
                10 => (
                    "MAC address changed",
                    format!("ip -n {space} link set {link} address 02:00:00:00:00:99"),
                ),
                11 => ("addresses flushed", format!("ip -n {space} addr flush dev {link}")),
                _ => ("taken off its bridge", format!("ip -n {space} link set {link} nomaster")),
            }
        }
    };
    Some(Damage { kind, script })
}

/// How often a lab, as `get-lab` tells of it, was repaired.
pub fn repairs(lab: &Value) -> u64 {
    // A 64-bit number is a string in the JSON of protocol buffers, and absent while it is 0.
    lab["status"]["drift_repaired"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The time in microseconds since 1970.
pub fn now_us() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    u64::try_from(now.as_micros()).expect("it is before the year 500,000")
}

/// A time of the API, as `2026-11-28T03:37:31.949000+00:00`, of today or yesterday, in microseconds since 1970.
pub fn time_us(value: &Value) -> u64 {
    const DAY: u64 = 86_400_000_000;
    let text = value.as_str().expect("a time is text");
    let clock = text.split_once('T').expect("a time has a T").1;
    let clock = clock.split(['Z', '+']).next().unwrap_or_default();
    let part = |number: usize| clock.split(':').nth(number).and_then(|part| part.parse::<f64>().ok());
    let (hours, minutes, seconds) = (part(0), part(1), part(2));
    let of_day = hours.unwrap_or(0.0) * 3600.0 + minutes.unwrap_or(0.0) * 60.0 + seconds.unwrap_or(0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "less than a day")]
    let of_day = (of_day * 1e6) as u64;
    let today = now_us() / DAY * DAY;
    let time = today + of_day;
    if time > now_us() + DAY / 2 { time - DAY } else { time }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let day = now_us() / 86_400_000_000 * 86_400_000_000;
        for (text, of_day) in [("00:00:00+00:00", 0), ("00:00:01.5Z", 1_500_000)] {
            let seen = time_us(&Value::from(format!("2026-11-28T{text}")));
            assert!([day, day - 86_400_000_000].contains(&(seen - of_day)), "{text}");
        }
    }
}
