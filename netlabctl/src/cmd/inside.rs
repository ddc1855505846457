//! What is inside a lab, as tables.

use std::net::IpAddr;

use netlab_proto::v1::{
    InterfaceCounters, InterfaceStatus, NodeStatus,
    interface_status::{OperState, PortState, Presence},
};

use crate::output::{
    style::{self, Style},
    table,
};

/// A table of interfaces; `wide`: with MAC addresses, MTUs, counters and what the kernel made by itself.
pub(super) fn table(nodes: &[NodeStatus], wide: bool) -> String {
    let rows: Vec<Row> = nodes.iter().flat_map(|node| rows(node, wide)).collect();
    if wide {
        let cells: Vec<[String; 13]> = rows.iter().map(Row::wide).collect();
        let heading = [
            "NODE",
            "INTERFACE",
            "KIND",
            "PEER",
            "STATE",
            "MAC",
            "MTU",
            "RX-BYTES",
            "RX-PACKETS",
            "TX-BYTES",
            "TX-PACKETS",
            "ERRORS/DROPS",
            "ADDRESSES",
        ];
        return table::write(heading, &cells);
    }
    let cells: Vec<[String; 6]> = rows.into_iter().map(|row| row.cells).collect();
    let heading = ["NODE", "INTERFACE", "KIND", "PEER", "ADDRESSES", "STATE"];
    table::write_styled(
        heading,
        &cells,
        |_, column, cell| {
            if column == 5 { style::of_state(cell) } else { Style::Plain }
        },
    )
}

/// An interface, or a node without any.
struct Row {
    /// As in the narrow table.
    cells: [String; 6],
    mac: String,
    mtu: String,
    counters: Option<InterfaceCounters>,
}

impl Row {
    fn wide(&self) -> [String; 13] {
        let [node, name, kind, peer, addresses, state] = self.cells.clone();
        let count = |of: fn(&InterfaceCounters) -> u64| {
            self.counters.as_ref().map_or_else(|| "-".to_owned(), |counters| of(counters).to_string())
        };
        let bad = self.counters.as_ref().map_or_else(
            || "-".to_owned(),
            |c| {
                let sum = |a: u64, b: u64| a.saturating_add(b);
                format!("{}/{}", sum(c.rx_errors, c.tx_errors), sum(c.rx_dropped, c.tx_dropped))
            },
        );
        [
            node,
            name,
            kind,
            peer,
            state,
            self.mac.clone(),
            self.mtu.clone(),
            count(|c| c.rx_bytes),
            count(|c| c.rx_packets),
            count(|c| c.tx_bytes),
            count(|c| c.tx_packets),
            bad,
            addresses,
        ]
    }
}

fn rows(node: &NodeStatus, wide: bool) -> Vec<Row> {
    let whole = |state: String| {
        let dash = || "-".to_owned();
        let cells = [node.name.clone(), dash(), dash(), dash(), dash(), state];
        Row { cells, mac: dash(), mtu: dash(), counters: None }
    };
    if !node.error.is_empty() {
        return vec![whole(format!("error: {}", node.error))];
    }
    if !node.present {
        return vec![whole("missing".to_owned())];
    }
    node.interfaces.iter().filter(|one| wide || !is_dull(one)).map(|one| row(node, one, wide)).collect()
}

/// Whether it is a loopback interface like any other.
fn is_dull(interface: &InterfaceStatus) -> bool {
    interface.kind == "loopback" && interface.up && addresses(interface, false) == "-"
}

fn row(node: &NodeStatus, interface: &InterfaceStatus, wide: bool) -> Row {
    let or_dash = |text: &str| if text.is_empty() { "-" } else { text }.to_owned();
    let cells = [
        node.name.clone(),
        interface.name.clone(),
        or_dash(&interface.kind),
        other_end(interface),
        addresses(interface, wide),
        state(interface),
    ];
    let mtu = if interface.mtu == 0 { "-".to_owned() } else { interface.mtu.to_string() };
    Row { cells, mac: or_dash(&interface.mac), mtu, counters: interface.counters }
}

/// What an interface leads to: its other end, or what it stands on.
fn other_end(interface: &InterfaceStatus) -> String {
    let InterfaceStatus { peer, lower, remote, .. } = interface;
    match (peer.as_str(), remote.as_str(), lower.as_str()) {
        ("", "", "") => "-".to_owned(),
        ("", "", lower) => format!("on {lower}"),
        ("", remote, "") => remote.to_owned(),
        ("", remote, lower) => format!("{remote} on {lower}"),
        (peer, ..) => peer.to_owned(),
    }
}

/// Addresses; those that every interface has by itself only where they are asked for.
fn addresses(interface: &InterfaceStatus, all: bool) -> String {
    let by_itself = |address: &&String| {
        let address = address.split('/').next().and_then(|address| address.parse::<IpAddr>().ok());
        !address.is_some_and(|address| {
            address.is_loopback() || matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
        })
    };
    let shown: Vec<&str> =
        interface.addresses.iter().filter(|address| all || by_itself(address)).map(String::as_str).collect();
    if shown.is_empty() { "-".to_owned() } else { shown.join(" ") }
}

/// How an interface is, in words.
fn state(interface: &InterfaceStatus) -> String {
    if interface.presence() == Presence::Missing {
        return "missing".to_owned();
    }
    let mut state = if !interface.up {
        "down".to_owned()
    } else if interface.oper_state() == OperState::LowerLayerDown {
        "lower layer down".to_owned()
    } else if !interface.carrier {
        "no carrier".to_owned()
    } else {
        match interface.port_state() {
            PortState::Unspecified => "up",
            PortState::Disabled => "disabled",
            PortState::Listening => "listening",
            PortState::Learning => "learning",
            PortState::Forwarding => "forwarding",
            PortState::Blocking => "blocking",
        }
        .to_owned()
    };
    if !interface.master.is_empty() {
        state.push_str(" in ");
        state.push_str(&interface.master);
    }
    if interface.presence() == Presence::Extra {
        state += " (extra)";
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    fn veth(name: &str) -> InterfaceStatus {
        InterfaceStatus {
            name: name.to_owned(),
            kind: "veth".to_owned(),
            presence: Presence::Present.into(),
            peer: "router:eth0".to_owned(),
            addresses: vec!["192.0.2.1/24".to_owned(), "fe80::1/64".to_owned()],
            mac: "02:00:00:00:00:01".to_owned(),
            mtu: 1500,
            up: true,
            carrier: true,
            oper_state: OperState::Up.into(),
            counters: Some(InterfaceCounters {
                rx_bytes: 10,
                rx_packets: 1,
                tx_bytes: 20,
                tx_packets: 2,
                rx_errors: 3,
                tx_dropped: 4,
                ..InterfaceCounters::default()
            }),
            ..InterfaceStatus::default()
        }
    }

    fn lo() -> InterfaceStatus {
        InterfaceStatus {
            name: "lo".to_owned(),
            kind: "loopback".to_owned(),
            up: true,
            carrier: true,
            addresses: vec!["127.0.0.1/8".to_owned(), "::1/128".to_owned()],
            ..InterfaceStatus::default()
        }
    }

    fn node(name: &str, interfaces: Vec<InterfaceStatus>) -> NodeStatus {
        NodeStatus { name: name.to_owned(), present: true, interfaces, error: String::new() }
    }

    #[test]
    fn states_are_told_in_words() {
        let is = |change: fn(&mut InterfaceStatus)| {
            let mut interface = veth("eth0");
            change(&mut interface);
            state(&interface)
        };
        assert_eq!(is(|_| ()), "up");
        assert_eq!(is(|i| i.up = false), "down");
        assert_eq!(is(|i| i.carrier = false), "no carrier");
        assert_eq!(is(|i| i.set_oper_state(OperState::LowerLayerDown)), "lower layer down");
        assert_eq!(is(|i| i.set_presence(Presence::Missing)), "missing");
        assert_eq!(is(|i| i.set_presence(Presence::Extra)), "up (extra)");
        assert_eq!(
            is(|i| {
                i.set_port_state(PortState::Learning);
                i.master = "br0".to_owned();
            }),
            "learning in br0"
        );
    }

    #[test]
    fn a_narrow_table_leaves_out_what_is_everywhere() {
        let gone = NodeStatus { name: "ns2".to_owned(), ..NodeStatus::default() };
        let vxlan = InterfaceStatus {
            kind: "vxlan".to_owned(),
            peer: String::new(),
            remote: "203.0.113.1".to_owned(),
            lower: "eth0".to_owned(),
            addresses: Vec::new(),
            ..veth("vx0")
        };
        let nodes = [node("ns1", vec![lo(), veth("eth0"), vxlan]), gone];
        assert_eq!(
            table(&nodes, false),
            "NODE  INTERFACE  KIND   PEER                 ADDRESSES     STATE\n\
             ns1   eth0       veth   router:eth0          192.0.2.1/24  up\n\
             ns1   vx0        vxlan  203.0.113.1 on eth0  -             up\n\
             ns2   -          -      -                    -             missing\n"
        );
    }

    #[test]
    fn a_wide_table_has_all() {
        let text = table(&[node("ns1", vec![lo(), veth("eth0")])], true);
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[1][..2], ["ns1", "lo"]);
        assert_eq!(
            rows[2],
            [
                "ns1",
                "eth0",
                "veth",
                "router:eth0",
                "up",
                "02:00:00:00:00:01",
                "1500",
                "10",
                "1",
                "20",
                "2",
                "3/4",
                "192.0.2.1/24",
                "fe80::1/64"
            ]
        );
    }
}
