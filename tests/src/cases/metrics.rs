//! Metrics: they tell what happens, all of them are documented, and nobody can harm netlabd by asking.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    net::TcpStream,
    os::unix::fs::{MetadataExt, PermissionsExt},
    process::Stdio,
    time::Duration,
};

use super::{Test, apply::SMALL};
use crate::{
    command::wait_until,
    daemon::program,
    host::{TestHost, repository},
    scrape::{CONFIG, PORT, Series, ask, ask_unix, request, scrape},
    users,
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("metrics::labs_come_and_go", labs),
    Test::new("metrics::what_happens_is_counted", counted),
    Test::new("metrics::all_are_documented_and_rules_name_real_ones", documented),
    Test::new("metrics::only_where_they_are_asked_for", places),
    Test::new("metrics::clients_that_do_not_read_or_talk_nonsense", bad_clients),
];

/// How long something may take to be seen.
const LIMIT: Duration = Duration::from_secs(30);

fn started() -> TestHost {
    let mut host = TestHost::here();
    let config = host.file("config.toml", CONFIG);
    host.start_with(&["--config", &config]);
    host
}

fn with_small() -> TestHost {
    let host = started();
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    host
}

/// A series that must be there.
fn value(seen: &Series, name: &str) -> f64 {
    *seen.get(name).unwrap_or_else(|| panic!("no {name} in {seen:#?}"))
}

/// Waits until a series has at least this value.
fn reaches(name: &str, least: f64) {
    wait_until(&format!("{name} reaches {least}"), LIMIT, || {
        scrape().get(name).is_some_and(|value| *value >= least)
    });
}

/// Fails unless these series have just these values.
#[allow(clippy::float_cmp)] // they are counts
fn expect(expected: &[(&str, f64)]) {
    let seen = scrape();
    for (name, wanted) in expected {
        assert!(value(&seen, name) == *wanted, "{name} is {}, expected {wanted}", value(&seen, name));
    }
}

fn labs() {
    let host = started();
    expect(&[
        ("netlab_labs{phase=\"ready\"}", 0.0),
        ("netlab_nodes", 0.0),
        ("netlab_labs_created_total", 0.0),
        ("netlab_drift_repairs_total", 0.0),
    ]);
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    expect(&[
        ("netlab_labs{phase=\"ready\"}", 1.0),
        ("netlab_labs{phase=\"failed\"}", 0.0),
        ("netlab_nodes", 3.0),
        ("netlab_links", 2.0),
        ("netlab_labs_created_total", 1.0),
        ("netlab_lab_ready{lab=\"small\"}", 1.0),
        ("netlab_lab_nodes{lab=\"small\"}", 3.0),
        ("netlab_labs_paused", 0.0),
    ]);
    reaches("netlab_reconcile_duration_seconds_count{outcome=\"settled\"}", 1.0);
    host.ctl(&["pause-lab", "small"]).ok();
    expect(&[("netlab_labs_paused", 1.0)]);
    host.ctl(&["resume-lab", "small"]).ok();
    host.sh("ip -n small.ns1 address del 192.0.2.1/24 dev eth0");
    reaches("netlab_drift_repairs_total", 1.0);
    reaches("netlab_lab_drift_repairs_total{lab=\"small\"}", 1.0);
    let seen = scrape();
    let count = value(&seen, "netlab_drift_repair_duration_seconds_count");
    let all = value(&seen, "netlab_drift_repair_duration_seconds_bucket{le=\"+Inf\"}");
    assert!(count >= 1.0 && (count - all).abs() < 0.5, "{seen:#?}");
    assert!(value(&seen, "netlab_drift_repair_duration_seconds_sum") > 0.0);
    host.ctl(&["delete-lab", "small"]).ok();
    reaches("netlab_reconcile_duration_seconds_count{outcome=\"deleted\"}", 1.0);
    expect(&[
        ("netlab_labs{phase=\"ready\"}", 0.0),
        ("netlab_labs_deleted_total", 1.0),
        ("netlab_nodes", 0.0),
        ("netlab_links", 0.0),
    ]);
    assert!(!scrape().keys().any(|name| name.contains("lab=\"small\"")), "a lab that is gone is still shown");
}

fn counted() {
    let host = with_small();
    host.ctl(&["exec", "small", "ns1", "--", "true"]).ok();
    let mut sleeping = host
        .ctl_command(&["exec", "small", "ns1", "--", "sleep", "1000"])
        .stdin(Stdio::null())
        .spawn()
        .expect("starting netlabctl");
    reaches("netlab_exec_sessions_open", 1.0);
    reaches("netlab_exec_sessions_total", 2.0);
    reaches("netlab_rpcs_open{service=\"netlab.v1.NodeService\",method=\"Exec\"}", 1.0);
    sleeping.kill().expect("netlabctl runs");
    sleeping.wait().expect("waiting for netlabctl");
    reaches("netlab_rpcs_total{service=\"netlab.v1.NodeService\",method=\"Exec\",code=\"CANCELLED\"}", 1.0);
    wait_until("the session is over", LIMIT, || scrape()["netlab_exec_sessions_open"] < 0.5);

    let packets = host.scratch("packets.pcapng").display().to_string();
    let capture = ["capture", "small", "ns2:eth0", "-f", "icmp", "-c", "4", "-w", &packets];
    let mut capture = host.ctl_command(&capture).spawn().expect("starting netlabctl");
    reaches("netlab_captures_open", 1.0);
    wait_until("four packets are captured", LIMIT, || {
        host.pings("small.ns1", "203.0.113.1");
        capture.try_wait().expect("waiting for netlabctl").is_some()
    });
    wait_until("the capture is over", LIMIT, || scrape()["netlab_captures_open"] < 0.5);
    expect(&[
        ("netlab_captures_total", 1.0),
        ("netlab_capture_packets_total", 4.0),
        ("netlab_capture_packets_dropped_total", 0.0),
    ]);

    let _ = host.ctl(&["get-lab", "nothing"]).code(4);
    let method = "service=\"netlab.v1.LabService\",method=\"GetLab\"";
    reaches(&format!("netlab_rpcs_total{{{method},code=\"NOT_FOUND\"}}"), 1.0);
    host.ctl(&["get-lab", "small"]).ok();
    reaches(&format!("netlab_rpcs_total{{{method},code=\"OK\"}}"), 1.0);
    reaches(&format!("netlab_rpc_duration_seconds_count{{{method}}}"), 2.0);
    let before = scrape();
    let mut command = host.ctl_command(&["watch-lab", "small"]);
    let mut watch = command.stdout(Stdio::null()).spawn().expect("starting netlabctl");
    reaches("netlab_rpcs_open{service=\"netlab.v1.LabService\",method=\"WatchLab\"}", 1.0);
    reaches("netlab_connections_open", value(&before, "netlab_connections_open") + 1.0);
    let after = scrape();
    assert!(value(&after, "netlab_connections_total") > value(&before, "netlab_connections_total"));
    assert!(value(&after, "process_open_fds") > 10.0 && value(&after, "process_cpu_seconds_total") > 0.0);
    watch.kill().expect("netlabctl runs");
    watch.wait().expect("waiting for netlabctl");
}

/// The names of families in a text: words that begin as all names do.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    let ours = |word: &&str| word.starts_with("netlab_") || word.starts_with("process_");
    words.filter(ours).map(ToOwned::to_owned).collect()
}

fn documented() {
    let _host = with_small();
    let answer = ask(&request("text/plain"));
    let body = answer.split_once("\r\n\r\n").expect("a head and a body").1;
    let samples: BTreeSet<String> = crate::scrape::parse(body)
        .keys()
        .map(|series| series.split('{').next().unwrap_or_default().to_owned())
        .collect();
    let read = |path: &str| fs::read_to_string(repository().join(path)).expect("the docs are there");
    for rules in ["docs/prometheus/recording.yml", "docs/prometheus/alerts.yml"] {
        let named = names(&read(rules));
        assert!(named.len() > 2, "{rules} names metrics: {named:?}");
        for name in named {
            assert!(samples.contains(&name), "{rules} names {name}, which netlabd does not have");
        }
    }
    let docs = names(&read("docs/metrics.md"));
    let family = |sample: &str| {
        let cut = ["_bucket", "_sum", "_count"].iter().find_map(|end| sample.strip_suffix(end));
        cut.unwrap_or(sample).to_owned()
    };
    let families: BTreeSet<String> = samples.iter().map(|sample| family(sample)).collect();
    for name in &families {
        assert!(docs.contains(name), "docs/metrics.md does not tell of {name}");
    }
    for name in docs.iter().filter(|name| !name.ends_with('_')) {
        assert!(families.contains(name), "docs/metrics.md tells of {name}, which netlabd does not have");
    }
    for line in body.lines().filter(|line| line.starts_with("# HELP")) {
        assert!(line.ends_with('.') && line.split(' ').count() > 3, "not a sentence: {line}");
    }
    let open = ask(&request("application/openmetrics-text; version=1.0.0"));
    assert!(open.contains("content-type: application/openmetrics-text; version=1.0.0"), "{open}");
    assert!(open.ends_with("# EOF\n"), "{open}");
}

fn places() {
    let mut host = TestHost::here();
    users::move_in(&host);
    host.start();
    assert_eq!(host.sh("ss -Hltn"), "", "nothing listens unless asked to");
    host.stop();

    let config = host.file("config.toml", CONFIG);
    host.start_with(&["--config", &config]);
    let listening = host.sh("ss -Hltn");
    assert!(listening.lines().count() == 1 && listening.contains("127.0.0.1:9469"), "{listening}");
    host.stop();

    let socket = host.folders().runtime.join("metrics.sock");
    let path = socket.to_str().expect("a path of ours is UTF-8");
    let text = format!("[metrics]\nlisten = \"unix:{path}\"\ngroup = \"netlab-admin\"\n");
    let config = host.file("config.toml", text);
    host.start_with(&["--config", &config]);
    let found = fs::metadata(&socket).expect("the socket is there");
    assert_eq!((found.permissions().mode() & 0o777, found.gid()), (0o660, users::ADMINS));
    let answer = ask_unix(path, &request("text/plain"));
    assert!(answer.contains("\nnetlab_labs{phase=\"ready\"} 0\n"), "{answer}");
    assert!(!answer.contains("netlab_lab_"), "no lab by name unless asked for");
    host.stop();
    assert!(!socket.exists(), "the socket goes with netlabd");

    let config = host.file("config.toml", "# a line\n[metrics]\n  listen = \"192.0.2.1:9469\"\n");
    let run = host.run(program("netlabd").to_str().expect("UTF-8"), &["--config", &config]).code(78);
    let _ = run.complains(&format!("{config}:3:12: \"192.0.2.1:9469\" can be reached from elsewhere"));

    // A port that is taken costs the metrics only.
    let taken = std::net::TcpListener::bind(("127.0.0.1", PORT)).expect("the port is free");
    let config = host.file("config.toml", CONFIG);
    host.start_with(&["--config", &config]);
    host.ctl(&["list-labs"]).ok();
    assert!(host.log().contains("no metrics are served"), "{}", host.log());
    drop(taken);
}

fn bad_clients() {
    let host = with_small();
    for nonsense in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET /metrics\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
    ] {
        let answer = ask(nonsense);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    let long = [b"GET /metrics HTTP/1.1\r\nX: ".as_slice(), &vec![b'x'; 1 << 20], b"\r\n\r\n"].concat();
    let answer = ask(&long);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert!(ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 404"));
    assert!(ask(b"DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 405"));
    assert!(ask(b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 200"));

    // Far more connections than are served at once: some say nothing, some ask and never read.
    let open = |number: u32| {
        let mut stream = TcpStream::connect(("127.0.0.1", PORT)).expect("the queue has room");
        match number % 3 {
            0 => {}
            1 => stream.write_all(b"GET /metr").expect("sending"),
            _ => stream.write_all(&request("text/plain")).expect("sending"),
        }
        stream
    };
    let silent: Vec<_> = (0..400).map(open).collect();
    assert!(value(&scrape(), "netlab_nodes") > 2.0, "a scraper is served all the same");
    host.ctl(&["ping", "small", "ns1", "ns2", "-c", "1"]).ok();
    drop(silent);
    wait_until("netlabd has let them all go", LIMIT, || {
        let fds = fs::read_dir(format!("/proc/{}/fd", host.daemon_pid())).expect("netlabd runs");
        fds.count() < 100
    });
    assert!(!host.log().contains("panicked"), "{}", host.log());
}
