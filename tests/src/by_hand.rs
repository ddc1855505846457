//! Labs that are built by hand in a host of their own, to be compared with those that netlabd makes.

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

use crate::{command::run, host::TestHost};

/// Looks at the host and at each node of a lab, whose name is `$1`: a line `--- PLACE`, then interfaces and
/// addresses as JSON, then all else as text. Sysctls that only the first user namespace has are left out.
const LOOK: &str = r#"
look() {
  echo "--- $1"; shift
  "$@" sh -c '
    ip -d -j addr; echo
    for f in -4 -6; do ip -d $f route show table all; ip -d $f rule; done | sed "s/ linkdown//" | grep -vE "fe80:|multicast" | sort
    ip -d -f mpls route show 2>/dev/null | sort
    { ip neigh show nud permanent; ip neigh show proxy; } | sort
    bridge vlan show 2>&1
    wg show all dump 2>/dev/null | awk "NF == 9 { print \"peer\", \$1, \$3 != \"(none)\", \$5, \$9 } NF == 5 { print \$1, \$5 }" | sort
    bridge fdb show | grep -E " sticky| dst .*permanent" | sort
    nft -s list ruleset
    cd /proc/sys; grep -rs . net | grep -vE "conntrack_count|fastopen_key|stable_secret|core/xfrm|ipv6/route" | sort'
}
look host env
cd /run/netns
for pin in $(ls -d "$1".* 2>/dev/null); do look "${pin#*.}" ip netns exec "$pin"; done
"#;

/// Makes this a host as tests have it, for what `$1` does in it, and runs the file `$2`; `/run/netns` is its
/// own. Fails if the words of `$2` made a file other than one with a key, as those of the tests would where a shell runs
/// them.
const FRESH: &str = r#"
mount -t tmpfs tmpfs /run/netns
mount -t sysfs sysfs /sys
ip link set lo up
echo 0 >/proc/sys/net/ipv4/ip_forward
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
eval "$1"
mkdir -p /run/test/empty
cd /run/test/empty
sh -e "$2" >/dev/null
made=$(ls -A | grep -vE '^[a-z0-9.-]+\.(key|psk)$') && { echo "a word was run: $made" >&2; exit 1; }
:
"#;

/// What there is of a lab on a host: all that its file decides.
#[derive(Debug)]
pub struct Picture(Vec<String>);

impl Picture {
    /// Of the host that this process is in.
    pub fn here(lab: &str) -> Self {
        Self::read(&run(Command::new("sh").args(["-c", LOOK, "look", lab])).ok())
    }

    /// Without what only tells netlabd what is its own, what keeps the host apart, and what takes effect a moment later.
    #[must_use]
    pub fn plain(&self) -> Self {
        let links = |line: &String| line.starts_with("{\"");
        let own = |line: &String| {
            let rule = line.trim();
            // The braces of tables and chains; addresses of IPv6 are tried first (RFC 4862).
            let left_out =
                ["table ", "chain ", "type nat ", "local ", "anycast ", "meta oifkind \"bridge\" "];
            !(rule.is_empty() || rule == "}" || left_out.iter().any(|begin| rule.starts_with(begin)))
        };
        let (mut on_host, mut in_guard) = (false, false);
        let typed = |line: &&String| {
            let line = line.trim();
            if let Some(place) = line.strip_prefix("--- ") {
                on_host = place == "host";
            } else if line.starts_with("chain ") || line == "}" {
                in_guard = on_host && line.contains("-guard-");
            }
            !(in_guard || on_host && is_deafness(line))
        };
        let all: Vec<&String> = self.0.iter().filter(typed).collect();
        let texts = all.iter().filter(|line| !links(line) && own(line)).map(|line| plain_text(line));
        let json = all.iter().filter(|line| links(line)).map(|line| plain_links(line));
        Self(texts.chain(json).collect())
    }

    fn read(text: &str) -> Self {
        Self(text.lines().map(plain).collect())
    }

    /// Fails the test unless it is the same as `other`.
    pub fn assert_same(&self, other: &Self, commands: &str) {
        let mut counts: BTreeMap<&String, i32> = BTreeMap::new();
        for (picture, one) in [(self, 1), (other, -1)] {
            for line in &picture.0 {
                *counts.entry(line).or_default() += one;
            }
        }
        let differ = counts.into_iter().filter(|(_, count)| *count != 0);
        let difference: Vec<String> =
            differ.map(|(line, count)| format!("{} {line}", if count > 0 { '+' } else { '-' })).collect();
        let difference = difference.join("\n");
        assert!(difference.is_empty(), "(- by netlabd, + by hand):\n{difference}\nby:\n{commands}");
        assert!(self.0 == other.0, "the same lines in another order:\n{self:?}\n{other:?}");
    }
}

/// Runs lines by `sh` in a fresh host, after `prepare`; what is there then.
pub fn built(host: &TestHost, prepare: &str, commands: &str, lab: &str) -> Picture {
    let script = host.file("by-hand.sh", commands);
    let body = format!("set -e\n{FRESH}\nset +e\nset -- {lab}\n{LOOK}");
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "sh", "-c", &body, "fresh", prepare, &script]);
    Picture::read(&run(&mut command).ok())
}

/// A line without what follows from MAC addresses, from the order in which interfaces were made, and from time.
fn plain(line: &str) -> String {
    let Ok(Value::Array(mut links)) = serde_json::from_str::<Value>(line) else {
        return line.trim_end().to_owned();
    };
    links.iter_mut().for_each(strip);
    let mut texts: Vec<String> = links.iter().map(ToString::to_string).collect();
    texts.sort();
    texts.join("\n")
}

/// Whether it is a sysctl that netlabd turns off on a lab's interfaces on the host.
fn is_deafness(line: &str) -> bool {
    let off = [
        "accept_redirects",
        "secure_redirects",
        "send_redirects",
        "accept_source_route",
        "accept_ra",
        "autoconf",
        "seg6_enabled",
        "rpl_seg_enabled",
    ];
    let name = line.split_once(':').and_then(|(path, _)| path.rsplit('/').next());
    line.starts_with("net/ipv") && name.is_some_and(|name| off.contains(&name))
}

/// A route or rule without marks.
fn plain_text(line: &str) -> String {
    let line = line.split(" comment ").next().unwrap_or_default();
    let mut line = line.replace("counter ", "").replace("oifname != \"lo\" ", "");
    if line.contains("@mappings") {
        // nft leaves out what follows from the rest, unless a counter stands between.
        line = line.replace("meta nfproto ipv4 ", "").replace("meta l4proto udp ", "");
    }
    let line = line.replace("extern_learn ", "");
    let mut words: Vec<&str> = line.split_whitespace().collect();
    if let Some(at) = words.iter().position(|word| *word == "proto").filter(|at| at + 1 < words.len()) {
        // What netlabd and what ip(8) says that it was; the kernel's own stays.
        if words[at + 1] != "kernel" {
            words.drain(at..at + 2);
        }
    }
    words.join(" ")
}

/// Interfaces without marks, one a line.
fn plain_links(lines: &str) -> String {
    let plain = |line: &str| {
        let mut link: Value = serde_json::from_str(line).expect("a link is JSON");
        let fields = link.as_object_mut().expect("a link is an object");
        fields.retain(|name, _| !["group", "ifalias"].contains(&name.as_str()));
        for address in fields.get_mut("addr_info").and_then(Value::as_array_mut).into_iter().flatten() {
            let address = address.as_object_mut().expect("an address is an object");
            address.retain(|name, _| !["nodad", "tentative"].contains(&name.as_str()));
        }
        link.to_string()
    };
    lines.lines().map(plain).collect::<Vec<_>>().join("\n")
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let by_chance = [
                "ifindex",
                "link_index",
                "link_netnsid",
                "link_netns",
                "address",
                "permaddr",
                "bridge_id",
                "root_id",
                "designated_bridge",
                "designated_root",
                "valid_life_time",
                "preferred_life_time",
                "operstate",
            ];
            fields.retain(|name, _| !by_chance.contains(&name.as_str()) && !name.ends_with("_timer"));
            if fields.get("info_slave_kind").is_some_and(|kind| kind == "bridge")
                && let Some(Value::Object(port)) = fields.get_mut("info_slave_data")
            {
                // Its number, its state, which follows the carrier, and what it has heard of the spanning tree.
                let heard = ["id", "no", "state", "topology_change_ack", "config_pending"];
                port.retain(|name, _| !heard.contains(&name.as_str()) && !name.starts_with("designated_"));
            }
            if fields.get("info_slave_kind").is_some_and(|kind| kind == "bond") {
                // Whether it works, and what it has heard by LACP.
                fields.remove("info_slave_data");
            }
            if fields.get("info_kind").is_some_and(|kind| kind == "bond")
                && let Some(Value::Object(bond)) = fields.get_mut("info_data")
            {
                bond.retain(|name, _| !["active_slave", "ad_info"].contains(&name.as_str()));
            }
            if fields.get("stp_state").is_some_and(|state| state == 1) {
                // Those of the root, once it is heard, and what holds while the topology changes.
                let heard = ["forward_delay", "hello_time", "max_age", "ageing_time"];
                let tree = |name: &str| name.starts_with("root_") || name.starts_with("topology_change");
                fields.retain(|name, _| !heard.contains(&name.as_str()) && !tree(name));
            }
            if let Some(Value::Array(flags)) = fields.get_mut("flags") {
                // The carrier of a link follows its other end a moment later.
                flags.retain(|flag| flag != "LOWER_UP" && flag != "NO-CARRIER");
            }
            if let Some(Value::Array(addresses)) = fields.get_mut("addr_info") {
                addresses.retain(|address| address["scope"] != "link");
                // ip(8) can set an address's protocol since 6.3 only.
                addresses.iter_mut().filter_map(Value::as_object_mut).for_each(|address| {
                    address.remove("protocol");
                });
            }
            fields.values_mut().for_each(strip);
        }
        Value::Array(all) => all.iter_mut().for_each(strip),
        _ => {}
    }
}
