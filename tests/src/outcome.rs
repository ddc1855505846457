//! One file, one outcome: everything that the kernel shows of a lab, to be compared between ways to the same file.

use std::collections::{BTreeMap, BTreeSet};

use netlabd::link::Kind;
use serde_json::{Value, json};

use crate::{feature::Feature, host::TestHost, rng::Rng};

/// What the kernel shows in one namespace, in lines. Left out is what no file decides, see docs/testing.md: numbers of
/// interfaces, ports and queries, timers, counters, learned neighbours and addresses, whether duplicate address detection is
/// still under way; the order of routes, which the kernel lists by when an interface was made, and that of the chains of
/// one nftables table, which it lists by when each was made. And a second route to `::1` that Linux 6.12 makes where
/// `addr_gen_mode` of all is written before `lo` is up.
///
/// And, all of Linux 6.18, what the kernel keeps and nothing can be told of:
/// - which groups of IPv6 an interface hears (`33:33:...`, `self`) while IPv6 is not at work there, because it is off, or the
///   interface down or without a carrier: some are joined when it is made (`ipv6_add_dev`), dropped when IPv6 goes off or
///   the interface down (`ipv6_mc_down`), and joined again only once IPv6 is at work (`ipv6_mc_up`);
/// - whether an interface that is down has been up, when it got `noqueue` in the place of `noop` (`dev_activate`);
/// - `DOWN` or `LOWERLAYERDOWN` of an end of a link without a carrier: the kernel looks the other end's number up among the
///   interfaces of this namespace, where it stands for another or none (`default_operstate`);
/// - whether a bridge without ports has had one, whose removal sets what it can send at once (`br_set_gso_limits`).
///
/// And which member of a bond works, what is agreed on by LACP, and how often a member has failed.
const SHOW: &str = r#"
names() { sed -E 's/^[0-9]+: ([^:@]+)[:@].*/\1/'; }
down=$(ip -o link | grep -v '[<,]UP[,>]' | names)
idle=$(ip -o link | grep -v 'LOWER_UP' | names; grep -lx 1 /proc/sys/net/ipv6/conf/*/disable_ipv6 2>/dev/null | cut -d/ -f7)
portless=$(for bridge in /sys/class/net/*/brif; do
    [ ! -d "$bridge" ] || [ -n "$(ls "$bridge")" ] || echo "$bridge" | cut -d/ -f5; done)
of() { awk -v names="$1" 'BEGIN { n = split(names, all); while (n) known[all[n--]] } '"$2"; }
sysctl -a 2>/dev/null | grep '^net\.' | grep -vE 'nf_conntrack_(count|buckets|max|expect_max)|dst_entries|netdev_rss_key' |
    sed 's/^/sysctl: /'
ip -d -o link | sed -E 's/^[0-9]+: //; s/@[^:]*:/:/; s/ *\\ */ /g; s/link-netns(id)? [^ ]+//g
    s/(tcn|hello|topology_change|gc|hold|message_age|forward_delay)_timer +[0-9.]+//g; s/fdb_n_learned [0-9]+//
    s/(active_slave|ad_aggregator(_id)?|ad_num_ports|ad_(actor|partner)_(key|mac|oper_port_state(_str)?)) [^ ]+//g
    s/bond_slave state [A-Z]+ mii_status [A-Z_]+ link_failure_count [0-9]+/bond_slave/
    s/(port_id|port_no|designated_port) [^ ]+//g; /[<,]UP[,>]/!s/ qdisc no(op|queue) / /; s/ state LOWERLAYERDOWN / state DOWN /' |
    of "$portless" '{ name = $1; sub(":", "", name) } name in known { gsub("tso_max_(size|segs) [0-9]+", "") } 1' |
    sed 's/^/link: /' | sort
ip -o -4 addr | sed -E 's/^[0-9]+: //; s/ *\\ */ /g; s/^/address: /' | sort -s -k2,2
ip -o -6 addr | sed -E 's/^[0-9]+: //; s/ *\\ */ /g; s/ tentative//; s/^/address: /' | sort -s -k2,2
ip -4 route show table all | sed 's/ linkdown//; s/^/route: /' | sort
ip -6 route show table all | grep -v '^::1 dev lo' | sed -E 's/ linkdown//; s/ expires [^ ]+//; s/^/route: /' | sort
ip rule | sed 's/^/rule: /'
ip -6 rule | sed 's/^/rule: /'
{ ip neigh show nud permanent; ip neigh show proxy; } | sed 's/^/neighbour: /' | sort
tc qdisc show | sed -E 's/qdisc ([a-z_]+) [0-9a-f]+:/qdisc \1/' |
    of "$down" '!(/^qdisc no(op|queue) /) || !($4 in known)' | sed 's/^/qdisc: /' | sort
bridge vlan show 2>/dev/null | awk 'NR > 1 { if (/^[^ \t]/) { port = $1; $1 = "" } print "vlan: " port, $0 }' |
    sed -E 's/[ \t]+/ /g' | sort
bridge -s fdb show 2>/dev/null | grep -E 'permanent|static' | of "$idle" '!(/^33:33:/ && $3 in known)' |
    sed -E 's/ used [0-9/]+//; s/^/fdb: /' | sort
nft -s list ruleset 2>/dev/null |
    awk '/^table/ { table = $2 " " $3; chain = "" } /^}/ { chain = "" } /^\tchain/ { chain = $2 }
        NF { print "nft: " table " " chain ": " $0 }' |
    sort -s -k2,4
"#;

/// What a lab's nodes and the host show, line by line, each with its place.
pub fn show(host: &TestHost, lab: &Value) -> Vec<String> {
    let name = lab["name"].as_str().expect("a lab has a name");
    let nodes: Vec<&str> =
        lab["nodes"].as_object().map_or_else(Vec::new, |nodes| nodes.keys().map(String::as_str).collect());
    let mut lines = Vec::new();
    let mut derived = BTreeMap::new();
    for place in nodes.iter().copied().chain(["host"]) {
        let enter = if place == "host" { String::new() } else { format!("ip netns exec {name}.{place} ") };
        let script = host.file("show.sh", SHOW);
        // A namespace that is being repaired is missing for a moment.
        let text = host.run("sh", &["-c", &format!("{enter}sh {script}")]).stdout;
        let decided = text.lines().filter(|line| !is_of_a_tunnel(lab, place, line)).map(without_inherited);
        lines.extend(decided.map(|line| format!("{place} {line}")));
        derived.extend(derived_addresses(host, lab, place, &enter));
    }
    // The longest first: one may begin as another does.
    let mut derived: Vec<_> = derived.into_iter().collect();
    derived.sort_by_key(|(address, _)| std::cmp::Reverse(address.len()));
    let mut lines: Vec<String> = lines
        .into_iter()
        .map(|line| derived.iter().fold(line, |line, (address, word)| line.replace(address, word)))
        .collect();
    // Words in the place of addresses change the order of what is listed by them.
    let sorted =
        |line: &String| ["link: ", "fdb: ", "neighbour: ", "route: "].iter().any(|kind| line.contains(kind));
    let (mut by_text, rest): (Vec<_>, Vec<_>) = lines.drain(..).partition(sorted);
    by_text.sort();
    [rest, by_text].concat()
}

/// Whether a line tells of a link-local address that the kernel has given a tunnel over IPv4 without a `local`: one for
/// each IPv4 address that the node had just then.
fn is_of_a_tunnel(lab: &Value, place: &str, line: &str) -> bool {
    const TUNNELS: [&str; 2] = ["gre", "sit"];
    let interfaces = lab["nodes"][place]["interfaces"].as_object();
    let tunnels = interfaces
        .into_iter()
        .flatten()
        .filter(|(_, interface)| {
            TUNNELS.iter().any(|kind| interface[*kind].is_object() && interface[*kind]["local"].is_null())
        })
        .map(|(name, _)| name.as_str());
    let words: Vec<&str> = line.split_whitespace().collect();
    // Those of labs are short.
    let kernels = words.iter().any(|word| word.starts_with("fe80::") && word.len() > "fe80::1/64".len());
    kernels && tunnels.into_iter().any(|tunnel| words.contains(&tunnel))
}

/// A line without a tunnel's random address, and without what an interface had from the one below when it was made.
fn without_inherited(line: &str) -> String {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    for name in ["permaddr", "tso_max_size"] {
        if let Some(at) = words.iter().position(|word| *word == name) {
            words.drain(at..(at + 2).min(words.len()));
        }
    }
    words.join(" ")
}

/// More ipvlans than any random lab has on one interface.
const IPVLANS: u8 = 16;

/// The MAC addresses that netlabd derives from a lab's unique identifier, and what follows from them: another create
/// has others. Those that the file says are left as they are.
fn derived_addresses(host: &TestHost, lab: &Value, place: &str, enter: &str) -> BTreeMap<String, String> {
    let part = if place == "host" { &lab["host"] } else { &lab["nodes"][place] };
    let text = host.run("sh", &["-c", &format!("{enter}ip -d -j link")]).stdout;
    let links: Vec<Value> = serde_json::from_str(&text).unwrap_or_default();
    let mut derived = BTreeMap::new();
    for link in &links {
        // Tunnels over IPv6 have an identifier of chance; a member of a bond has that one's address, and its own for later.
        let over_ipv6 = ["tunnel6", "gre6"].iter().any(|kind| link["link_type"] == **kind);
        let own = &link["linkinfo"]["info_slave_data"]["perm_hwaddr"];
        let mac = if own.is_string() { own } else { &link["address"] };
        let mac = if over_ipv6 { identifier(&link["permaddr"]) } else { mac.as_str().map(ToOwned::to_owned) };
        let (Some(name), Some(mac)) = (link["ifname"].as_str(), mac) else { continue };
        let says = part["interfaces"]
            .as_object()
            .is_some_and(|own| own.values().any(|own| own["mac"] == mac.as_str()));
        let octets: Vec<u8> = mac.split(':').filter_map(|octet| u8::from_str_radix(octet, 16).ok()).collect();
        if says || octets.len() != 6 || octets.iter().all(|octet| *octet == 0) {
            continue;
        }
        let word = format!("[{place}:{name}]");
        let mut address = [0; 16];
        address[..2].copy_from_slice(&[0xfe, 0x80]);
        address[8..].copy_from_slice(&[
            octets[0] ^ 2,
            octets[1],
            octets[2],
            0xff,
            0xfe,
            octets[3],
            octets[4],
            octets[5],
        ]);
        derived.insert(std::net::Ipv6Addr::from(address).to_string(), format!("fe80{word}"));
        // Those of ipvlans have a number in it, by the order in which they were made (`addrconf_ifid_eui48`).
        for number in 1..=IPVLANS {
            let mut numbered = address;
            numbered[8] = octets[0];
            numbered[11..13].copy_from_slice(&[0, number]);
            derived.insert(std::net::Ipv6Addr::from(numbered).to_string(), format!("fe80{word}"));
        }
        derived.insert(format!("33:33:ff:{}", &mac[9..]), format!("33:33:ff:{word}"));
        derived.insert(mac, word.clone());
        // As bridges write it.
        let id: Vec<String> = octets.iter().map(|octet| format!("{octet:x}")).collect();
        derived.insert(id.join(":"), word);
    }
    derived
}

/// The identifier of a tunnel over IPv6 in the form of a MAC address: ip(8) writes its six bytes as it writes an IPv6 address.
fn identifier(permaddr: &Value) -> Option<String> {
    let address: std::net::Ipv6Addr = permaddr.as_str()?.parse().ok()?;
    let octets: Vec<String> = address.octets()[..6].iter().map(|octet| format!("{octet:02x}")).collect();
    Some(octets.join(":"))
}

/// The lines of one that are not in the other, `-` and `+`; empty where both show the same. Addresses and rules are
/// compared in order too.
pub fn difference(wanted: &[String], seen: &[String]) -> Vec<String> {
    let set = |lines: &[String]| lines.iter().cloned().collect::<BTreeSet<_>>();
    let (a, b) = (set(wanted), set(seen));
    let mut lines: Vec<String> = a.difference(&b).map(|line| format!("- {line}")).collect();
    lines.extend(b.difference(&a).map(|line| format!("+ {line}")));
    if lines.is_empty() && wanted != seen {
        let (before, after) = wanted.iter().zip(seen).find(|(a, b)| a != b).unwrap_or((&wanted[0], &seen[0]));
        lines.push(format!("another order: {before} / {after}"));
    }
    lines
}

/// Sysctls that a node may have, with values; those that need IPv6 to be off are put apart.
const SYSCTLS: &[(&str, &[&str])] = &[
    ("net.ipv4.ip_default_ttl", &["32", "77"]),
    ("net.ipv4.ip_local_port_range", &["20000 30000", "100 200"]),
    ("net.ipv4.ip_unprivileged_port_start", &["0", "80"]),
    ("net.ipv4.ip_local_reserved_ports", &["8080,9000-9010"]),
    ("net.ipv4.icmp_echo_ignore_broadcasts", &["0"]),
    ("net.ipv4.fib_multipath_hash_policy", &["1"]),
    ("net.ipv4.tcp_rmem", &["4096 65536 1000000"]),
    ("net.ipv4.conf.all.rp_filter", &["1", "2"]),
    ("net.ipv4.conf.default.rp_filter", &["1", "2"]),
    ("net.ipv4.conf.all.accept_redirects", &["0", "1"]),
    ("net.ipv4.conf.default.accept_redirects", &["0"]),
    ("net.ipv4.conf.default.forwarding", &["0", "1"]),
    ("net.ipv4.conf.default.proxy_arp", &["1"]),
    ("net.ipv4.conf.default.promote_secondaries", &["1"]),
    ("net.ipv4.conf.lo.rp_filter", &["1"]),
    ("net.ipv6.conf.all.accept_ra", &["0"]),
    ("net.ipv6.conf.default.accept_ra", &["0", "2"]),
    ("net.ipv6.conf.default.hop_limit", &["9", "33"]),
    ("net.ipv6.conf.default.accept_dad", &["0", "1"]),
    ("net.ipv6.conf.default.addr_gen_mode", &["1"]),
    ("net.ipv6.conf.all.addr_gen_mode", &["0", "1"]),
    ("net.ipv6.conf.all.ignore_routes_with_linkdown", &["1"]),
    ("net.ipv6.conf.lo.hop_limit", &["7"]),
    ("net.ipv6.conf.default.mtu", &["1400"]),
];

/// Sysctls of one interface.
const OF_INTERFACES: &[(&str, &[&str])] = &[
    ("net.ipv4.conf.IF.rp_filter", &["1", "2"]),
    ("net.ipv4.conf.IF.proxy_arp", &["1"]),
    ("net.ipv4.conf.IF.forwarding", &["0", "1"]),
    ("net.ipv4.neigh.IF.gc_stale_time", &["90"]),
    ("net.ipv6.neigh.IF.retrans_time_ms", &["500"]),
    ("net.ipv6.conf.IF.accept_ra", &["0", "2"]),
    ("net.ipv6.conf.IF.accept_dad", &["0", "2"]),
    ("net.ipv6.conf.IF.hop_limit", &["9"]),
    ("net.ipv6.conf.IF.addr_gen_mode", &["1"]),
    ("net.ipv6.conf.IF.mtu", &["1280"]),
];

/// Sysctls that turn IPv6 off.
const OFF: &[&str] = &[
    "net.ipv6.conf.all.disable_ipv6",
    "net.ipv6.conf.default.disable_ipv6",
    "net.ipv6.conf.IF.disable_ipv6",
];

/// Gives a random lab more that may be left out of the next: sysctls, several addresses of one subnet in any order, MAC
/// addresses, interfaces that are down, STP, small MTUs.
pub fn enrich(lab: &str, rng: &mut Rng, dummy: bool, lacks: &BTreeSet<String>) -> Value {
    let mut lab: Value = serde_json::from_str(lab).expect("a lab of ours");
    let nodes: Vec<String> = lab["nodes"].as_object().expect("nodes").keys().cloned().collect();
    for node in nodes {
        let node = &mut lab["nodes"][node.as_str()];
        if dummy && rng.one_in(3) {
            node["interfaces"]["many"] = json!({ "dummy": {}, "addresses": addresses(rng) });
        }
        let leads = |what: &str| node[what].as_array().is_some_and(|all| !all.is_empty());
        let routes = leads("routes") || leads("neighbours");
        let names: Vec<String> =
            node["interfaces"].as_object().map_or_else(Vec::new, |own| own.keys().cloned().collect());
        for name in &names {
            let interface = &mut node["interfaces"][name.as_str()];
            // Nothing may lead through what is down.
            if rng.one_in(8) && !routes {
                interface["up"] = json!(false);
            }
            if rng.one_in(6) && may_have_mac(interface) {
                interface["mac"] = json!(format!("02:00:00:00:00:0{}", 1 + rng.below(9)));
            }
            if rng.one_in(6) && interface["addresses"].as_array().is_some_and(|own| !own.is_empty()) {
                let own = interface["addresses"].as_array_mut().expect("seen above");
                own.push(json!(format!("fe80::{}/64", 1 + rng.below(3))));
            }
            if interface["bridge"].is_object() && rng.one_in(4) {
                interface["bridge"]["stp"] = json!(true);
            }
        }
        let mut sysctls = serde_json::Map::new();
        for _ in 0..rng.below(6) {
            let (key, values) = *rng.of(SYSCTLS);
            sysctls.insert(key.to_owned(), json!(*rng.of(values)));
        }
        if !names.is_empty() {
            for _ in 0..rng.below(4) {
                let ((key, values), name) = (*rng.of(OF_INTERFACES), rng.of(&names));
                let value = json!(*rng.of(values));
                if !key.starts_with("net.ipv6.") || surely_has_ipv6(&node["interfaces"][name.as_str()]) {
                    sysctls.insert(key.replace("IF", &name.replace('.', "/")), value);
                }
            }
        }
        if rng.one_in(4) {
            let key = *rng.of(OFF);
            let name = names.first().map_or("lo", String::as_str).replace('.', "/");
            sysctls.insert(key.replace("IF", &name), json!("1"));
            without_ipv6(node);
        }
        // A range of ports must not begin below the first unprivileged one.
        let start = sysctls.get("net.ipv4.ip_unprivileged_port_start") == Some(&json!("0"));
        if sysctls.get("net.ipv4.ip_local_port_range") == Some(&json!("100 200")) && !start {
            sysctls.insert("net.ipv4.ip_unprivileged_port_start".to_owned(), json!("0"));
        }
        sysctls.retain(|key, _| !lacks.contains(key));
        node["sysctls"] = Value::Object(sysctls);
    }
    lab
}

/// Whether the MTU of an interface is 1280 at least, whatever it is on: below, it has no IPv6 and none of its sysctls.
fn surely_has_ipv6(interface: &Value) -> bool {
    let smaller = [
        "geneve",
        "gre",
        "gretap",
        "ip6gre",
        "ip6tnl",
        "ipip",
        "ipvlan",
        "sit",
        "vlan",
        "vxlan",
        "wireguard",
    ];
    !smaller.iter().any(|kind| interface[*kind].is_object())
}

/// The sysctls of a namespace that this kernel is built without.
pub fn lacking(host: &TestHost) -> BTreeSet<String> {
    let known = host.sh("sysctl -aN 2>/dev/null | grep '^net' || true");
    let known: BTreeSet<&str> = known.lines().collect();
    SYSCTLS.iter().map(|(key, _)| *key).filter(|key| !known.contains(key)).map(ToOwned::to_owned).collect()
}

/// Some addresses of few subnets, in any order.
fn addresses(rng: &mut Rng) -> Vec<String> {
    let mut pool: Vec<String> = (1..4).map(|n| format!("100.64.0.{n}/24")).collect();
    pool.extend((1..3).map(|n| format!("100.64.1.{n}/24")));
    pool.extend((1..4).map(|n| format!("2001:db8:64::{n}/64")));
    let mut chosen = Vec::new();
    for _ in 0..rng.below(pool.len()) {
        chosen.push(pool.remove(rng.below(pool.len())));
    }
    chosen
}

/// Whether an interface can be given a MAC address: kinds have their own, or none.
fn may_have_mac(interface: &Value) -> bool {
    let kind = Kind::KEYS.iter().find(|key| !interface[**key].is_null());
    let may = kind.is_none_or(|key| ["bond", "bridge", "dummy", "macvlan", "vxlan"].contains(key));
    // A member of a bond has the bond's.
    may && interface["master"] != "bond0"
}

fn without_ipv6(node: &mut Value) {
    for interface in node["interfaces"].as_object_mut().into_iter().flat_map(|own| own.values_mut()) {
        if let Some(addresses) = interface["addresses"].as_array_mut() {
            addresses.retain(|address| !address.as_str().unwrap_or_default().contains("::"));
        }
    }
    // Nor a next hop of it.
    if let Some(routes) = node["routes"].as_array_mut() {
        routes.retain(|route| !route.to_string().contains("::"));
    }
}

/// Whether dummies can be used.
pub fn has_dummies(host: &TestHost) -> bool {
    Feature::Kind("dummy").works(host)
}
