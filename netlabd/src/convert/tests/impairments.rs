//! What wires and interfaces do to packets.

use super::*;
use crate::model::{Impairment, Probability};

/// An impairment of the link between `a:e` and `b:e`.
fn on_link(fields: &str) -> String {
    format!(
        r#"{{"name":"x","nodes":{{"a":{{}},"b":{{}}}},"links":[{{"endpoints":["a:e","b:e"],"impair":{{{fields}}}}}]}}"#
    )
}

/// What becomes of what leaves `a:e`.
#[track_caller]
fn read(fields: &str) -> Option<Impairment> {
    let json = on_link(fields);
    let lab = lab(&message(&json)).unwrap_or_else(|faults| panic!("{faults}: {json}"));
    let end = |node: &str| lab.nodes[node].interfaces["e"].impair.clone();
    assert_eq!(end("a"), end("b"), "each direction alike");
    end("a")
}

#[test]
fn units_and_relations() {
    for (fields, expected) in [
        (r#""delay":"20""#, r#"delay: "20" has no unit; write 20ms"#),
        (r#""delay":"2h""#, r#"delay: "2h" is not a time such as 20ms: a number and ns, us, ms or s"#),
        (r#""delay":"3601s""#, "delay: 3601s is above an hour, the longest delay; lower it"),
        (r#""jitter":"2ms""#, "jitter: 2ms is how far the delay varies; give a delay too"),
        (
            r#""delay":"20ms","jitter":"30ms""#,
            "jitter: 30ms is above the delay: nothing arrives before it is sent; lower it or raise delay",
        ),
        (r#""delay":"9s","jitter":"3s""#, "jitter: 3s is above 2s, the most; lower it"),
        (
            r#""delay":"9s","correlation":"25%""#,
            "correlation: is that of the jitter; give jitter too, or leave it out",
        ),
        (
            r#""delay":"9s","distribution":"normal""#,
            "distribution: is that of the jitter; give jitter too, or leave it out",
        ),
        (
            r#""delay":"9s","jitter":"1s","distribution":"norml""#,
            r#"distribution: "norml" is no distribution: uniform, normal, pareto, paretonormal; did you mean "normal"?"#,
        ),
        (r#""loss":"0.5""#, r#"loss: "0.5" has no unit; write 0.5%"#),
        (r#""loss":"101%""#, r#"loss: "101%" is above 100%"#),
        (r#""duplicate":"x""#, r#"duplicate: "x" is not a percentage such as 0.5%"#),
        (r#""corrupt":"1 %""#, r#"corrupt: "1 %" is not a percentage such as 0.5%; write 1%"#),
        (r#""reorder":"5%""#, "reorder: packets overtake others that wait; give a delay too"),
        (
            r#""loss":"1%","loss_burst":1"#,
            "loss_burst: 1 is not how many packets are lost at a time: 2 to 1,000, or leave it out",
        ),
        (
            r#""loss_burst":5"#,
            "loss_burst: is how many packets are lost at a time; give loss too, such as 1%",
        ),
        (
            r#""loss":"90%","loss_burst":4"#,
            "loss_burst: 4 packets at a time cannot make more than 80% of all, and loss is 90%; raise it, or lower loss",
        ),
        (r#""rate":"10""#, r#"rate: "10" has no unit; write 10mbit"#),
        (
            r#""rate":"10Mbps""#,
            r#"rate: "10Mbps" is not a rate such as 10mbit: a number and bit, kbit, mbit or gbit a second; write 10mbit"#,
        ),
        (r#""rate":"0bit""#, "rate: 0bit is not a rate of 1kbit to 100gbit; change it, or leave it out"),
        (
            r#""rate":"101gbit""#,
            "rate: 101gbit is not a rate of 1kbit to 100gbit; change it, or leave it out",
        ),
        (r#""queue":100"#, "queue: is how many packets wait for the rate; give rate too, or leave it out"),
        (r#""rate":"1gbit","queue":0"#, "queue: is not how many packets may wait: 1 to 1,000,000"),
        (
            r#""preset":"5g""#,
            r#"preset: "5g" is no preset: dsl, cable, 4g, 3g, wifi, satellite_geo, satellite_leo, lossy; did you mean "3g"?"#,
        ),
        (
            r#""preset":"4g","delay":"1ms""#,
            "jitter: 5ms is above the delay: nothing arrives before it is sent; lower it or raise delay",
        ),
    ] {
        bad(on_link, fields, &format!("links[0].impair.{expected}"));
    }
    bad(
        on_link,
        r#""delay":"100s","rate":"1gbit""#,
        "links[0].impair: 8264532 packets would be on their way or wait, and there is room for 1,000,000; lower delay, rate or queue",
    );
    // One slip hides no other.
    bad(
        on_link,
        r#""delay":"20","jitter":"5","loss":"x""#,
        "links[0].impair.delay: \"20\" has no unit; write 20ms\nlinks[0].impair.jitter: \"5\" has no unit; write 5ms\n\
         links[0].impair.loss: \"x\" is not a percentage such as 0.5%",
    );
    bad(
        super::interfaces,
        r#""lo":{"impair":{"delay":"1ms"}}"#,
        "nodes.n.interfaces.lo.impair: \"lo\" is there and up in every node; only addresses may be added to it",
    );
}

#[test]
fn values_are_the_kernels() {
    for (fields, words) in [
        // Room for a gigabit a second.
        (r#""delay":"20ms""#, "limit 2652 delay 20ms"),
        (r#""loss":"1%""#, "limit 1000 loss 1%"),
        (r#""loss":"1%","seed":7"#, "limit 1000 loss 1% seed 7"),
        // What the rate sends in 100 ms, and what is on its way.
        (r#""rate":"10mbit""#, "limit 83 rate 10mbit"),
        (r#""rate":"10mbit","queue":100"#, "limit 100 rate 10mbit"),
        (r#""rate":"10mbit","queue":100,"delay":"20ms""#, "limit 117 delay 20ms rate 10mbit"),
        (
            r#""rate":"10mbit","queue":100,"delay":"20ms","jitter":"2ms""#,
            "limit 124 delay 20ms 2ms rate 10mbit",
        ),
        (r#""rate":"64kbit""#, "limit 50 rate 64kbit"),
        // p / (p + r) = 1 %, 1 / r = 5.
        (r#""loss":"1%","loss_burst":5"#, "limit 1000 loss gemodel 0.2020202% 20%"),
        (
            r#""delay":"20ms","jitter":"2ms","correlation":"25%","distribution":"pareto","duplicate":"1%","corrupt":"0.1%","reorder":"5%""#,
            "limit 3314 delay 20ms 2ms 25% distribution pareto duplicate 1% corrupt 0.1% reorder 5%",
        ),
    ] {
        assert_eq!(read(fields).map(|it| it.to_string()).as_deref(), Some(words), "{fields}");
    }
    assert_eq!(read(""), None, "nothing");
    assert_eq!(read(r#""delay":"0ms","loss":"0%""#), None);
    assert_eq!(read(r#""duplicate":"100%""#).unwrap().duplicate, Probability::ALWAYS);
}

/// What an interface says holds for its direction.
#[test]
fn of_an_interface() {
    let json = |own: &str| {
        format!(
            r#"{{"name":"x","nodes":{{"a":{{"interfaces":{{"e":{{"impair":{own}}},"d":{{"dummy":{{}},"impair":{{"loss":"3%"}}}}}}}},"b":{{}}}},
            "links":[{{"endpoints":["a:e","b:e"],"impair":{{"delay":"20ms"}}}}]}}"#
        )
    };
    let of = |own: &str, at: (&str, &str)| {
        let lab = lab(&message(&json(own))).unwrap();
        lab.nodes[at.0].interfaces[at.1].impair.as_ref().map(ToString::to_string)
    };
    let link = Some("limit 2652 delay 20ms".to_owned());
    for (own, words) in
        [(r#"{"loss":"1%"}"#, Some("limit 1000 loss 1%".to_owned())), ("{}", None), ("null", link.clone())]
    {
        assert_eq!(of(own, ("a", "e")), words, "{own}");
        assert_eq!(of(own, ("b", "e")), link, "{own}");
        assert_eq!(of(own, ("a", "d")).as_deref(), Some("limit 1000 loss 3%"));
    }
}

/// A name stands for what an author would write, and what is said besides holds against it.
#[test]
fn presets() {
    for (fields, words) in [
        (r#""preset":"dsl""#, "delay 25ms rate 1500kbit"),
        (r#""preset":"4g""#, "delay 25ms 5ms distribution normal rate 15mbit"),
        (
            r#""preset":"4g","rate":"40mbit","loss":"1%""#,
            "delay 25ms 5ms distribution normal loss 1% rate 40mbit",
        ),
        (r#""preset":"4g","jitter":"1ms""#, "delay 25ms 1ms rate 15mbit"),
        (r#""preset":"wifi","jitter":"0ms","loss":"0%""#, "delay 5ms rate 50mbit"),
        (r#""preset":"satellite_leo","loss":"0%""#, "delay 25ms 10ms distribution normal rate 150mbit"),
        (r#""preset":"satellite_geo""#, "delay 300ms rate 100mbit"),
        (r#""preset":"lossy""#, "loss 5%"),
    ] {
        assert_eq!(read(fields).map(|it| it.words()).as_deref(), Some(words), "{fields}");
    }
}

/// The reference has the figures of every preset.
#[test]
fn presets_are_documented() {
    let reference = include_str!("../../../../docs/lab-file.md");
    for preset in crate::convert::preset::all() {
        let row = reference.lines().find(|line| line.starts_with(&format!("| `{}` |", preset.preset)));
        let row = row.unwrap_or_else(|| panic!("no row of {}", preset.preset));
        for figure in [&preset.delay, &preset.jitter, &preset.distribution, &preset.loss, &preset.rate] {
            assert!(figure.is_empty() || row.contains(&format!("`{figure}`")), "{figure}: {row}");
        }
    }
}
