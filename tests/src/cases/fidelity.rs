//! How near impairments come to what is asked for, as docs/impairments.md has it.
//!
//! `NETLAB_FIDELITY=simulated` prints all of it, for a kernel in simulated time; `real` a part, for one in real time.
//! Without, a few results must be near enough for a busy machine.

use std::time::Duration;

use super::{Test, impairments::CHANGES};
use crate::{
    feature::Feature,
    host::TestHost,
    wire::{Flight, Wire, number},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[Test::new("fidelity::of_impairments", fidelity).needs(&[Feature::Netem])];

const THERE: Wire<'_> = Wire { from: "k.a", to: "k.b", address: "192.0.2.2" };
const BACK: Wire<'_> = Wire { from: "k.b", to: "k.a", address: "192.0.2.1" };
const WAYS: [(&str, Wire<'_>); 2] = [("a to b", THERE), ("b to a", BACK)];
const MS: Duration = Duration::from_millis(1);

/// How many packets met a fate.
type Met = fn(&Flight) -> usize;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Little,
    Real,
    Simulated,
}

impl Extent {
    fn told() -> Self {
        match std::env::var("NETLAB_FIDELITY").as_deref() {
            Ok("simulated") => Self::Simulated,
            Ok("real") => Self::Real,
            _ => Self::Little,
        }
    }

    /// All of some results, or those that are chosen.
    fn of<T: Copy>(self, all: &[T], some: &[usize]) -> Vec<T> {
        if self == Self::Simulated { all.to_vec() } else { some.iter().map(|place| all[*place]).collect() }
    }
}

/// What is measured and told.
struct Report {
    host: TestHost,
    extent: Extent,
}

/// A line of the document.
fn line(line: &str) {
    println!("doc: {line}");
}

/// A table of the document.
fn table(title: &str, columns: &[&str]) {
    line("");
    line(&format!("## {title}"));
    line("");
    line(&format!("| {} |", columns.join(" | ")));
    line(&format!("|{}", "---|".repeat(columns.len())));
}

fn row(cells: &[String]) {
    line(&format!("| {} |", cells.join(" | ")));
}

impl Report {
    /// Changes what becomes of what is sent in both directions.
    fn impair(&self, by: &str) {
        let text = format!(
            "name: k\nnodes:\n  a: {{ interfaces: {{ e: {{ addresses: [192.0.2.1/24] }} }} }}\n\
             \x20 b: {{ interfaces: {{ e: {{ addresses: [192.0.2.2/24] }} }} }}\n\
             links: [ {{ endpoints: [\"a:e\", \"b:e\"], impair: {{ {by} }} }} ]\n"
        );
        self.host.ctl(&["apply-lab", &self.host.file("lab.yaml", text)]).ok();
    }

    /// So that both ends know each other's addresses, which are then no packets that get lost.
    fn meet(&self) {
        for (node, other, address) in [("a", "b", "192.0.2.2"), ("b", "a", "192.0.2.1")] {
            let mac = self.host.exec(&format!("k.{other}"), "cat /sys/class/net/e/address").ok();
            let known = format!("ip neighbour replace {address} dev e lladdr {} nud permanent", mac.trim());
            let _ = self.host.exec(&format!("k.{node}"), &known).code(0);
        }
    }

    /// Fails where an error is too large for a busy machine.
    #[track_caller]
    fn bounded(&self, what: &str, error: f64, most: f64) {
        assert!(
            self.extent == Extent::Real || error.abs() <= most,
            "{what}: off by {error}, more than {most}"
        );
    }

    fn delays(&self) {
        let asked = self.extent.of(&[1, 2, 5, 10, 20, 50, 100, 200, 300], &[1, 5]);
        table("Delay", &["asked", "way", "by", "median", "error", "1 % below", "99 % below"]);
        for asked in asked {
            self.impair(&format!("delay: {asked}ms"));
            for (way, wire) in WAYS {
                // One at a time: what waits for the window of congestion is not delayed by the wire.
                let apart = (2 * asked + 10) * MS;
                for (by, flight) in [("UDP", wire.udp(300, 5 * MS, 100)), ("TCP", wire.tcp(30, apart))] {
                    let of = |share| flight.delay(share);
                    let error = of(0.5) - f64::from(asked);
                    let cells = [format!("{asked} ms"), way.into(), by.into(), format!("{:.3} ms", of(0.5))];
                    let spread = [
                        format!("{error:+.3} ms"),
                        format!("{:.3} ms", of(0.01)),
                        format!("{:.3} ms", of(0.99)),
                    ];
                    row(&[cells.as_slice(), &spread].concat());
                    // Late timers and busy processors only add.
                    let early = (f64::from(asked) - of(0.0)).max(0.0);
                    let error = if self.extent == Extent::Little { early } else { error };
                    self.bounded("delay, ms", error, 0.2);
                }
            }
        }
    }

    fn jitters(&self) {
        // Standard deviation in times of the jitter.
        const ALL: [(&str, f64); 4] =
            [("uniform", 0.5774), ("normal", 1.0), ("pareto", 0.8197), ("paretonormal", 0.8339)];
        if self.extent != Extent::Simulated {
            return;
        }
        let columns = ["asked", "distribution", "way", "mean", "error", "deviation", "expected", "error"];
        table("Jitter around 100 ms", &columns);
        for jitter in [1, 5, 20] {
            for (name, times) in ALL {
                self.impair(&format!("delay: 100ms, jitter: {jitter}ms, distribution: {name}"));
                for (way, wire) in WAYS {
                    let (mean, deviation) = wire.udp(4000, MS, 100).moments();
                    let expected = times * f64::from(jitter);
                    let cells = [format!("{jitter} ms"), name.into(), way.into(), format!("{mean:.2} ms")];
                    let results = [
                        format!("{:+.2} ms", mean - 100.0),
                        format!("{deviation:.2} ms"),
                        format!("{expected:.2} ms"),
                        format!("{:+.1} %", (deviation / expected - 1.0) * 100.0),
                    ];
                    row(&[cells.as_slice(), &results].concat());
                }
            }
        }
    }

    fn losses(&self) {
        let all = [
            (0.1, 60_000),
            (0.2, 40_000),
            (0.5, 20_000),
            (1.0, 20_000),
            (2.0, 10_000),
            (5.0, 10_000),
            (10.0, 5_000),
            (20.0, 5_000),
        ];
        let mut all = self.extent.of(&all, &[3, 6]);
        if self.extent == Extent::Little {
            for (_, count) in &mut all {
                *count = 3000;
            }
        }
        table("Loss", &["asked", "way", "by", "packets", "lost", "error", "in standard deviations"]);
        for (asked, count) in all {
            self.impair(&format!("loss: {asked}%"));
            for (way, wire) in WAYS {
                let flight = wire.udp(count, MS / 5, 100);
                self.loss(asked, way, "UDP", flight.sent, flight.lost());
                if self.extent != Extent::Little {
                    let (sent, lost) = self.by_tcp(wire);
                    self.loss(asked, way, "TCP", sent, lost);
                }
            }
        }
    }

    fn loss(&self, asked: f64, way: &str, by: &str, sent: usize, lost: usize) {
        let share = asked / 100.0;
        let sigma = (share * (1.0 - share) / number(sent)).sqrt();
        let seen = number(lost) / number(sent);
        let off = (seen - share) / sigma;
        let cells = [format!("{asked} %"), way.into(), by.into(), sent.to_string()];
        let results = [
            format!("{:.3} %", seen * 100.0),
            format!("{:+.3} %", (seen - share) * 100.0),
            format!("{off:+.1}"),
        ];
        row(&[cells.as_slice(), &results].concat());
        let most = if self.extent == Extent::Little { 6.0 } else { 4.0 };
        self.bounded("loss, standard deviations", off, most);
    }

    /// What netem counts while TCP sends all it can.
    fn by_tcp(&self, wire: Wire<'_>) -> (usize, usize) {
        let count = || {
            let text = self.host.exec(wire.from, "tc -s -j qdisc show dev e root").ok();
            let seen: serde_json::Value = serde_json::from_str(&text).expect("tc prints JSON");
            let of = |key: &str| {
                seen[0][key].as_u64().and_then(|count| usize::try_from(count).ok()).expect("a count")
            };
            (of("packets"), of("drops"))
        };
        let (before, lost_before) = count();
        wire.tcp_rate("e", 3000 * MS);
        let (after, lost) = count();
        (after - before + lost - lost_before, lost - lost_before)
    }

    fn bursts(&self) {
        if self.extent != Extent::Simulated {
            return;
        }
        table("Loss in bursts", &["asked", "at a time", "way", "packets", "lost", "at a time"]);
        for (loss, burst) in [(1, 3), (5, 5), (10, 20)] {
            self.impair(&format!("loss: {loss}%, loss_burst: {burst}"));
            for (way, wire) in WAYS {
                let flight = wire.udp(40_000, MS / 5, 100);
                let seen = format!("{:.2} %", number(flight.lost()) / number(flight.sent) * 100.0);
                let at_a_time = format!("{:.1}", flight.burst());
                row(&[
                    format!("{loss} %"),
                    burst.to_string(),
                    way.into(),
                    flight.sent.to_string(),
                    seen,
                    at_a_time,
                ]);
            }
        }
    }

    fn others(&self) {
        if self.extent != Extent::Simulated {
            return;
        }
        table(
            "Duplicates, reordering, corruption",
            &["asked", "way", "packets", "seen", "in standard deviations"],
        );
        let early: Met = |flight| flight.arrivals.iter().filter(|it| it.delay < 10 * MS).count();
        let fates: [(&str, &str, Met); 3] = [
            ("duplicate: 2%", "2 % twice", Flight::doubled),
            ("delay: 20ms, reorder: 5%", "5 % not waiting", early),
            ("corrupt: 1%", "1 % corrupt", Flight::lost),
        ];
        for (by, what, met) in fates {
            self.impair(by);
            let share: f64 = what.split(' ').next().and_then(|text| text.parse().ok()).expect("a share");
            for (way, wire) in WAYS {
                let flight = wire.udp(20_000, MS / 5, 1000);
                let (seen, share) = (number(met(&flight)) / number(flight.sent), share / 100.0);
                let sigma = (share * (1.0 - share) / number(flight.sent)).sqrt();
                let seen = [format!("{:.2} %", seen * 100.0), format!("{:+.1}", (seen - share) / sigma)];
                row(&[&[what.into(), way.into(), flight.sent.to_string()], seen.as_slice()].concat());
            }
        }
    }

    fn rates(&self) {
        let all = [
            ("64kbit", 64e3),
            ("128kbit", 128e3),
            ("256kbit", 256e3),
            ("512kbit", 512e3),
            ("1mbit", 1e6),
            ("2mbit", 2e6),
            ("5mbit", 5e6),
            ("10mbit", 10e6),
            ("20mbit", 20e6),
            ("50mbit", 50e6),
            ("100mbit", 100e6),
        ];
        let asked = self.extent.of(&all, &[4, 7]);
        table("Rate", &["asked", "way", "by", "seen", "error"]);
        for (asked, bits) in asked {
            self.impair(&format!("rate: {asked}"));
            // Frames that arrive or not at the ends of the time must not matter.
            let time = if self.extent == Extent::Little {
                2000
            } else if bits < 1e6 {
                60_000
            } else {
                5000
            } * MS;
            for (way, wire) in WAYS {
                let tcp = wire.tcp_rate("e", time);
                let udp = wire.udp_rate("e", time, 1000, bits);
                for (by, seen) in [("TCP", tcp), ("UDP", udp)] {
                    let error = (seen / bits - 1.0) * 100.0;
                    let shown = if seen < 1e6 {
                        format!("{:.2} kbit/s", seen / 1e3)
                    } else {
                        format!("{:.3} Mbit/s", seen / 1e6)
                    };
                    row(&[asked.into(), way.into(), by.into(), shown, format!("{error:+.2} %")]);
                    // A busy sender sends less than it may, never more.
                    let error = if self.extent == Extent::Little { error.max(0.0) } else { error };
                    self.bounded("rate, %", error, if self.extent == Extent::Simulated { 2.0 } else { 20.0 });
                }
            }
        }
    }

    fn changes(&self) {
        table("Changes in place", &["from", "to", "packets under way", "lost"]);
        let all: Vec<&str> = ["delay: 80ms"].into_iter().chain(CHANGES).collect();
        self.impair(all[0]);
        let all = if self.extent == Extent::Little { &all[..3] } else { &all[..] };
        for pair in all.windows(2) {
            let flight = THERE.udp_while(1500, MS, 500, || {
                std::thread::sleep(1500 * MS);
                self.impair(pair[1]);
            });
            row(&[
                format!("`{}`", pair[0]),
                format!("`{}`", pair[1]),
                flight.sent.to_string(),
                flight.lost().to_string(),
            ]);
            assert_eq!(flight.lost(), 0, "{pair:?}");
        }
    }
}

fn fidelity() {
    let report = Report { host: TestHost::started(), extent: Extent::told() };
    report.impair("delay: 1ms");
    report.meet();
    report.delays();
    report.jitters();
    report.losses();
    report.bursts();
    report.others();
    report.rates();
    report.changes();
}
