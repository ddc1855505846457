//! What is drawn of a lab.

use netlab_proto::v1::{
    Firewall, FirewallChain, FirewallRule, Host, Impair, Masquerade, Nat, Node, PrefixTranslation, SourceNat,
    Vxlan, interface::Kind,
};

use super::*;

/// Two nodes with a tunnel over a router, whose interfaces only the links name.
fn lab() -> Lab {
    let end = |address: &str, remote: &str| {
        let eth0 = Interface { addresses: vec![format!("{address}/24")], ..Interface::default() };
        let vxlan = Vxlan { vni: Some(7), remote: remote.to_owned(), ..Vxlan::default() };
        let vxlan0 = Interface { kind: Some(Kind::Vxlan(vxlan)), ..Interface::default() };
        let interfaces = BTreeMap::from([("eth0".to_owned(), eth0), ("vxlan0".to_owned(), vxlan0)]);
        Node { interfaces, ..Node::default() }
    };
    let link = |a: &str, b: &str| Link { endpoints: vec![a.to_owned(), b.to_owned()], ..Link::default() };
    let nodes = [("a", end("192.0.2.1", "203.0.113.1")), ("b", end("203.0.113.1", "192.0.2.1"))];
    let mut nodes: BTreeMap<String, Node> =
        nodes.into_iter().map(|(name, node)| (name.to_owned(), node)).collect();
    nodes.insert("r".to_owned(), Node::default());
    Lab {
        name: "<x&\">".to_owned(),
        nodes,
        links: vec![link("a:eth0", "r:e1"), link("r:e2", "b:eth0"), link("a:x", "host:lab0")],
        ..Lab::default()
    }
}

#[test]
fn mermaid_shows_places_links_and_tunnels() {
    let expected = r#"graph LR
  n0["<b>a</b><br/>eth0 192.0.2.1/24<br/>vxlan0 (VXLAN 7)<br/>x"]
  n1["<b>b</b><br/>eth0 203.0.113.1/24<br/>vxlan0 (VXLAN 7)"]
  n2[["<b>host</b><br/>lab0"]]
  n3["<b>r</b><br/>e1<br/>e2"]
  n0 ---|"eth0 - e1"| n3
  n3 ---|"e2 - eth0"| n1
  n0 ---|"x - lab0"| n2
  n0 -.-|"VXLAN 7"| n1
"#;
    assert_eq!(draw(&lab(), GraphFormat::Mermaid), expected);
}

#[test]
fn dot_quotes_what_it_is_given() {
    let dot = draw(&lab(), GraphFormat::Dot);
    assert!(dot.starts_with("graph \"<x&\\\">\" {\n"), "{dot}");
    assert!(dot.contains("n3 -- n1 [taillabel=\"e2\", headlabel=\"eth0\"];"), "{dot}");
    assert!(
        dot.contains("n0 -- n1 [taillabel=\"vxlan0\", headlabel=\"\", style=dashed, label=\"VXLAN 7\"];"),
        "{dot}"
    );
}

#[test]
fn what_is_said_of_a_cable_stands_on_it() {
    let mut lab = lab();
    lab.links[0].up = Some(false);
    let text = str::to_owned;
    let slow = Impair { delay: text("20ms"), jitter: text("2ms"), ..Impair::default() };
    lab.links[1].impair = Some(Impair { loss: text("0.5%"), rate: text("10mbit"), ..slow.clone() });
    let eth0 = lab.nodes.get_mut("b").unwrap().interfaces.get_mut("eth0").unwrap();
    eth0.impair = Some(Impair { preset: text("4g"), jitter: String::new(), ..slow });
    let said = "  n3 ---|\"e2 - eth0<br/>20ms ±2ms, 0.5% lost, 10mbit\"| n1\n";
    assert!(draw(&lab, GraphFormat::Mermaid).contains(said));
    assert!(draw(&lab, GraphFormat::Mermaid).contains("<br/>eth0 (4g, 20ms) 203.0.113.1/24"));
    assert!(draw(&lab, GraphFormat::Mermaid).contains("  n0 ---|\"eth0 - e1<br/>down\"| n3\n"));
    assert!(draw(&lab, GraphFormat::Dot).contains("headlabel=\"e1\", label=\"down\"];"));
    assert_eq!(draw(&lab, GraphFormat::Svg).matches(">down</text>").count(), 1);
}

#[test]
fn rules_stand_below_the_interfaces() {
    let mut lab = lab();
    let r = lab.nodes.get_mut("r").unwrap();
    let chain = |policy: &str, rules| FirewallChain {
        policy: policy.to_owned(),
        rules: vec![FirewallRule::default(); rules],
    };
    r.firewall = Some(Firewall {
        input: Some(chain("drop", 1)),
        forward: Some(chain("drop", 2)),
        output: Some(chain("", 0)),
    });
    r.nat = Some(Nat {
        masquerade: vec![
            Masquerade::default(),
            Masquerade { r#type: "full_cone".to_owned(), ..Masquerade::default() },
        ],
        snat: vec![SourceNat::default(); 2],
        ..Nat::default()
    });
    let said = "<br/>e2<br/>firewall: input 1 rule, drop; forward 2 rules, drop; output accept<br/>NAT: full_cone; masquerade; 2 snat\"]";
    assert!(draw(&lab, GraphFormat::Mermaid).contains(said), "{}", draw(&lab, GraphFormat::Mermaid));
    lab.host = Some(Host { nat: Some(Nat::default()), ..Host::default() });
    assert!(!draw(&lab, GraphFormat::Mermaid).contains("lab0<br/>"), "nothing is said of nothing");
    let prefixes = vec![PrefixTranslation::default()];
    lab.host = Some(Host { nat: Some(Nat { prefixes, ..Nat::default() }), ..Host::default() });
    assert!(draw(&lab, GraphFormat::Svg).contains(">NAT: prefix</text>"));
}

#[test]
fn a_chain_is_a_row_and_what_is_not_joined_stands_below() {
    let mut lab = lab();
    lab.nodes.insert("z".to_owned(), Node::default());
    let topology = Topology::of(&lab);
    let places = layout::places(&topology);
    let place = |name: &str| {
        let place = places[topology.boxes.iter().position(|each| each.name == name).unwrap()];
        (place.part, place.column)
    };
    let chain = ["b", "r", "a", "host"].map(place);
    assert_eq!(chain, [(0, 0), (0, 1), (0, 2), (0, 3)]);
    assert_eq!(place("z"), (1, 0));
}

#[test]
fn svg_and_html_hold_every_name_escaped() {
    for format in [GraphFormat::Svg, GraphFormat::Html] {
        let picture = draw(&lab(), format);
        assert!(picture.contains("<title>&lt;x&amp;&quot;&gt;</title>"), "{picture}");
        assert!(picture.contains(">eth0 192.0.2.1/24</text>"), "{picture}");
        assert_eq!(picture.matches("<path ").count(), 4, "three links and a tunnel");
        assert_eq!(picture.matches("<path ").count(), picture.matches(" C ").count());
        assert!(!picture.contains("http-equiv") && !picture.contains("src="), "nothing from elsewhere");
    }
}

#[test]
fn a_lab_that_makes_no_sense_is_drawn_all_the_same() {
    let link = |ends: &[&str]| {
        let endpoints = ends.iter().map(|end| (*end).to_owned()).collect();
        Link { endpoints, ..Link::default() }
    };
    let links =
        vec![link(&["a"]), link(&["a", "b"]), link(&["a:x", "a:x"]), link(&["a:x", "b:y", "c:z"]), link(&[])];
    let lab = Lab { links, ..Lab::default() };
    for format in [GraphFormat::Mermaid, GraphFormat::Dot, GraphFormat::Svg, GraphFormat::Html] {
        draw(&lab, format);
    }
    draw(&Lab::default(), GraphFormat::Svg);
}

#[test]
fn what_cannot_be_seen_is_written_out() {
    let mut lab = Lab { description: "a\u{202e}b".to_owned(), ..lab() };
    let interfaces = [("e\u{200b}0".to_owned(), Interface::default())].into();
    lab.nodes.insert("q\u{9b}".to_owned(), Node { interfaces, ..Node::default() });
    for format in [GraphFormat::Mermaid, GraphFormat::Dot, GraphFormat::Svg, GraphFormat::Html] {
        let picture = draw(&lab, format);
        let hidden = picture.chars().find(|c| *c != '\n' && netlab_proto::text::is_hidden(*c));
        assert_eq!(hidden, None, "{picture}");
        let slash = if format == GraphFormat::Dot { "\\\\" } else { "\\" };
        assert!(picture.contains(&format!("e{slash}u{{200b}}0")), "{picture}");
    }
}
