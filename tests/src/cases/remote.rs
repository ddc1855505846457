//! A laptop and a lab host: mutual TLS.

use std::{fs, process::Stdio, time::Duration};

use serde_json::Value;

use super::{Test, apply::SMALL};
use crate::{
    command::{exit_code, run, wait_until},
    host::TestHost,
    remote::{HOST, LISTEN, Odd, Pki, URL, laptop, plug_in, reload, served},
    users,
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("remote::all_commands_by_tls", commands),
    Test::new("remote::a_capture_across_hosts", capture),
    Test::new("remote::client_certificates", clients),
    Test::new("remote::server_certificates", servers),
    Test::new("remote::other_protocols", protocols),
    Test::new("remote::roles_and_owners", roles),
    Test::new("remote::reload_and_revocation", revocation),
    Test::new("remote::broken_files_keep_the_old_ones", broken_files),
    Test::new("remote::a_cut_cable", cut_cable),
    Test::new("remote::contexts", contexts),
];

/// How long to wait for what must come.
const LIMIT: Duration = Duration::from_secs(60);

fn commands() {
    let (host, pki, _) = served("");
    let before = host.inventory();
    let file = host.file("small.yaml", SMALL);
    pki.ctl("alice", &["create-lab", &file]).ok();
    let _ = pki.ctl("alice", &["list-labs"]).code(0).says("small");
    pki.ctl("alice", &["check-lab", "small"]).ok();
    pki.ctl("alice", &["ping", "small", "ns1", "ns2"]).ok();
    let _ = pki
        .ctl("alice", &["exec", "small", "ns1", "--", "sh", "-c", "echo here; exit 7"])
        .code(7)
        .says("here");
    let mut shell = pki.command("alice", &["shell", "small", "ns1"]);
    let script = host.file("script", "hostname; exit 9\n");
    let shell = shell.stdin(fs::File::open(script).expect("the script")).output().expect("running netlabctl");
    assert_eq!((shell.status.code(), &*shell.stdout), (Some(9), &b"ns1\n"[..]), "{shell:?}");
    let _ = pki.ctl("alice", &["doctor"]).code(0);
    let watched = host.scratch("watched");
    let told = fs::File::create(&watched).expect("making a file");
    let mut watch = pki.command("alice", &["watch-lab", "small"]).stdout(told).spawn().expect("netlabctl");
    let seen = || fs::read_to_string(&watched).unwrap_or_default();
    wait_until("the watch has begun", LIMIT, || !seen().is_empty());
    host.sh("ip -n small.ns1 link set eth0 mtu 1300");
    wait_until("the MTU is repaired", LIMIT, || {
        host.sh("ip -n small.ns1 link show eth0").contains("mtu 1500")
    });
    pki.ctl("alice", &["delete-lab", "small"]).ok();
    assert_eq!(exit_code(watch.wait().expect("watch-lab ends")), 0);
    let seen = seen();
    assert!(seen.contains("repaired") && seen.ends_with("deleted\n"), "{seen}");
    before.assert_unchanged();
    let log = host.log();
    for part in ["certificate=\"alice\"", "from=\"198.18.0.2:", "delete"] {
        assert!(log.contains(part), "the log says who did what: {part}: {log}");
    }
}

fn capture() {
    let (host, pki, _) = served("");
    let file = host.file("small.yaml", SMALL);
    pki.ctl("alice", &["create-lab", &file]).ok();
    let args = ["capture", "small", "ns2:eth0", "-f", "icmp", "-w", "-"];
    let mut capture = pki.command("alice", &args);
    let mut capture = capture.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("netlabctl");
    let stdout = capture.stdout.take().expect("a pipe");
    let mut reader = std::process::Command::new("tcpdump");
    let reader = reader.args(["-n", "-l", "-c", "4", "-r", "-"]).stdin(stdout).stdout(Stdio::piped());
    let reader = reader.stderr(Stdio::null()).spawn().expect("tcpdump");
    // What is captured must come while it happens: tcpdump ends after two pings and their answers.
    let mut pings = pki.command("alice", &["ping", "small", "ns1", "ns2", "-c", "100", "-i", "100ms"]);
    let mut pings = pings.stdout(Stdio::null()).spawn().expect("netlabctl");
    let seen = reader.wait_with_output().expect("tcpdump ends");
    let (_, _) = (pings.kill(), capture.kill());
    let (_, _) = (pings.wait(), capture.wait());
    let seen = String::from_utf8_lossy(&seen.stdout).into_owned();
    assert_eq!(seen.matches("ICMP echo request").count(), 2, "{seen}");
    assert_eq!(seen.matches("ICMP echo reply").count(), 2, "{seen}");
    // A command's output is not cut or changed on its way, be it long.
    let script = "dd if=/dev/zero bs=1M count=8 2>/dev/null | tr '\\0' x; exit 3";
    let output = pki.ctl("alice", &["exec", "small", "ns1", "--", "sh", "-c", script]).code(3).stdout;
    assert!(output.len() == 8 << 20 && output.bytes().all(|b| b == b'x'), "{} bytes", output.len());
}

fn clients() {
    let (host, pki, _) = served("");
    let other = Pki::init("other");
    other.client("stranger", "admin");
    pki.odd("expired", Odd { from: -2, until: -1, ..Odd::default() });
    pki.odd("early", Odd { from: 1, until: 2, ..Odd::default() });
    pki.odd("server", Odd { server: true, name: HOST, ..Odd::default() });
    pki.odd("nameless", Odd { uris: &["netlab:role:admin"], name: "", ..Odd::default() });
    pki.odd("twofold", Odd { uris: &["netlab:user:a", "netlab:user:b"], ..Odd::default() });
    pki.odd("roleless", Odd { uris: &["netlab:user:nobody"], ..Odd::default() });
    for (client, code, says) in [
        ("expired", 6, "it has expired or is not valid yet"),
        ("early", 6, "it has expired or is not valid yet"),
        ("server", 6, "it is not a client's"),
        ("nameless", 3, "closed the connection"),
        ("twofold", 3, "closed the connection"),
        ("roleless", 6, "the name \"nobody\" of the client certificate is not known here"),
    ] {
        let said = pki.ctl(client, &["list-labs"]).code(code).complains(says).stderr;
        assert_eq!(said.lines().count(), 1, "{said}");
        let _ = pki.ctl(client, &["exec", "x", "y", "--", "true"]).code(125).complains(says);
    }
    let stranger = |ca: &Pki| {
        let mut command = other.command("stranger", &["list-labs"]);
        run(command.env("NETLAB_CA", ca.path("ca.crt")))
    };
    let _ = stranger(&pki).code(6).complains("its authority is not known there");
    let _ = stranger(&other).code(3).complains("its authority is not the one in the CA file");
    // A key of somebody else's certificate, one that others may read, none at all.
    let mut mixed = pki.command("alice", &["list-labs"]);
    let _ = run(mixed.env("NETLAB_KEY", pki.path("clients/bob.key"))).code(2).complains("does not go with");
    host.sh(&format!("chmod 644 {}", pki.path("clients/bob.key")));
    let _ = pki.ctl("bob", &["list-labs"]).code(2).complains("others may read this key (mode 0644)");
    let _ = laptop(&["--host", URL, "list-labs"]).code(2).complains("/run/test/home/.config/netlab/ca.crt");
    let log = host.log();
    for part in ["certificate expired", "not valid yet", "UnknownIssuer", "more than one name"] {
        assert!(log.contains(part), "the log says why each was refused: {part}: {log}");
    }
    pki.ctl("alice", &["list-labs"]).ok();
}

fn servers() {
    let mut host = TestHost::here();
    plug_in(&host);
    let pki = Pki::init("pki");
    pki.client("alice", "member");
    pki.run(&["issue", "server", "elsewhere.example.org"]).ok();
    pki.odd("expired", Odd { from: -2, until: -1, server: true, name: HOST, ..Odd::default() });
    pki.odd("early", Odd { from: 1, until: 2, server: true, name: HOST, ..Odd::default() });
    for (server, says) in [
        ("servers/elsewhere.example.org", "connect by a name or address that is in it"),
        ("clients/expired", "it must be renewed there"),
        ("clients/early", "are both clocks right?"),
        ("clients/alice", "is not trusted: "),
    ] {
        let config = host.file("config.toml", pki.config(server, ""));
        host.start_with(&["--config", &config]);
        let said = pki.ctl("alice", &["list-labs"]).code(3).complains(says).stderr;
        assert_eq!(said.lines().count(), 1, "{said}");
        host.stop();
    }
    let whole = pki.config("servers/elsewhere.example.org", "");
    for (change, says) in [
        (("elsewhere.example.org.key", "none.key"), "none.key: No such file"),
        (("servers/elsewhere.example.org.key", "clients/alice.key"), "does not go with the certificate"),
        (("servers/elsewhere.example.org.key", "ca.crt"), "has no key in it"),
        (("elsewhere.example.org.crt", "elsewhere.example.org.key"), "has no certificate in it"),
        (("pki/ca.crl", "pki/ca.crt"), "has no list of revocations"),
        (("pki/ca.crl", "none.crl"), "none.crl: No such file"),
        (("pki/ca.crt", "none.crt"), "none.crt: No such file"),
    ] {
        let config = host.file("config.toml", whole.replace(change.0, change.1));
        let _ = run(host.folders().command().args(["--config", &config])).code(78).complains(says);
    }
    let open = host.file("config.toml", &whole);
    host.sh(&format!("chmod 644 {}", pki.path("servers/elsewhere.example.org.key")));
    let _ = run(host.folders().command().args(["--config", &open]))
        .code(78)
        .complains("everybody may use this key");
    // There is no way to listen without certificates.
    let _ = run(host.folders().command().args(["--listen", LISTEN])).code(78).complains("needs TLS");
}

/// Clients and servers that speak something else.
fn protocols() {
    let (host, pki, _) = served("");
    let client =
        |script: &str| host.exec("laptop", &format!("python3 {}", host.file("client.py", script))).ok();
    let prologue = format!(
        "import socket, ssl, sys\n\
         def dial():\n    s = socket.create_connection(('{HOST}', 7443), 20); s.settimeout(20); return s\n\
         c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT); c.load_verify_locations('{}'); c.set_alpn_protocols(['h2'])\n",
        pki.path("ca.crt")
    );
    let own = format!(
        "c.load_cert_chain('{}', '{}')\n",
        pki.path("clients/alice.crt"),
        pki.path("clients/alice.key")
    );
    let finish = "try:\n    t = c.wrap_socket(dial(), server_hostname='198.18.0.1'); print(t.version(), t.recv(9)[3:4])\n\
                  except Exception as error:\n    print('refused', error)\n";
    let good = client(&format!("{prologue}{own}{finish}"));
    assert_eq!(good.trim(), "TLSv1.3 b'\\x04'", "with everything in order the daemon speaks HTTP/2");
    let old = client(&format!("{prologue}{own}c.maximum_version = ssl.TLSVersion.TLSv1_2\n{finish}"));
    assert!(old.contains("refused") && old.to_lowercase().contains("protocol version"), "{old}");
    let none = client(&format!("{prologue}{finish}"));
    assert!(none.contains("refused") && none.to_lowercase().contains("certificate required"), "{none}");
    let plain = "s = dial(); s.sendall(b'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n'); print('answer', s.recv(100)[:1])\n";
    let plain = client(&format!("{prologue}{plain}"));
    assert!(
        plain.contains("b'\\x15'") || plain.contains("b''"),
        "a TLS alert or nothing, and no HTTP/2: {plain}"
    );
    // Who only holds the line keeps nobody out.
    let idle =
        "import time\nheld = [dial() for _ in range(40)]\nprint('held', flush=True)\ntime.sleep(100)\n";
    let script = host.file("idle.py", format!("{prologue}{idle}"));
    let mut holding = std::process::Command::new("ip");
    let mut holding = holding.args(["netns", "exec", "laptop", "python3", &script]).spawn().expect("python3");
    let logged = |text: &str| wait_until(text, LIMIT, || host.log().contains(text));
    logged("too many handshakes at once from there");
    host.ctl(&["list-labs"]).ok();
    wait_until("there is room again", LIMIT, || pki.ctl("alice", &["list-labs"]).code == 0);
    logged("no handshake within 10 s");
    let (_, _) = (holding.kill(), holding.wait());
    // Something else where netlabd should be.
    let _server = host.serve("laptop", 7444, "220 mail.example.org ESMTP\r\n");
    let mut command = pki.command("alice", &["list-labs"]);
    let _ =
        run(command.env("NETLAB_HOST", "https://127.0.0.1:7444")).code(3).complains("does not speak TLS 1.3");
    let mut command = pki.command("alice", &["list-labs"]);
    let _ =
        run(command.env("NETLAB_HOST", "https://127.0.0.1:7445")).code(3).complains("does it listen there");
}

fn roles() {
    let users = "[tls.users]\nbob = { user = \"alice\" }\nroot = { role = \"member\" }\ncarol = { user = \"carol\" }\n\
                 mallory = { role = \"none\" }\n";
    users::move_in(&TestHost::here());
    let (mut host, pki, config) = served(users);
    pki.client("boss", "admin");
    pki.client("carol", "member");
    pki.client("mallory", "admin");
    let file = host.file("small.yaml", SMALL);
    pki.ctl("alice", &["create-lab", &file]).ok();
    let lab: Value =
        serde_json::from_str(&pki.ctl("alice", &["get-lab", "small", "-o", "json"]).ok()).expect("JSON");
    assert_eq!((&lab["owner"], &lab["owner_uid"]), (&"tls:alice".into(), &u32::MAX.into()));
    // The local user of the same name is somebody else, and so are other certificates, whatever they say.
    let belongs = "belongs to tls:alice";
    let _ = users::ALICE.ctl(&host, &["delete-lab", "small"]).code(6).complains(belongs);
    for other in ["bob", "root"] {
        let seen = pki.ctl(other, &["get-lab", "small", "-o", "json"]).ok();
        assert!(!seen.contains("192.0.2"), "no more than that it is there: {seen}");
        let _ = pki.ctl(other, &["delete-lab", "small"]).code(6).complains(belongs);
        let _ = pki.ctl(other, &["exec", "small", "ns1", "--", "true"]).code(125).complains(belongs);
    }
    let _ = pki.ctl("mallory", &["list-labs"]).code(6).complains("\"mallory\"");
    // A certificate can stand for a user of the host: the same labs from both sides.
    let second = host.file("second.yaml", SMALL.replace("small", "second"));
    pki.ctl("bob", &["create-lab", &second]).ok();
    assert_eq!(
        (&host.lab("second")["owner"], &host.lab("second")["owner_uid"]),
        (&"alice".into(), &4001.into())
    );
    users::ALICE.ctl(&host, &["check-lab", "second"]).ok();
    users::ALICE.ctl(&host, &["delete-lab", "second"]).ok();
    // Administrators, by the certificate and by the groups of a user.
    let _ = pki.ctl("boss", &["get-lab", "small"]).code(0).says("ns1 ns2").says("tls:alice");
    // The owner's name outlives the daemon.
    host.stop();
    host.start_with(&["--config", &config]);
    pki.ctl("carol", &["pause-lab", "small"]).ok();
    pki.ctl("alice", &["delete-lab", "small"]).ok();
}

fn revocation() {
    let (host, pki, _) = served("");
    let file = host.file("small.yaml", SMALL);
    pki.ctl("alice", &["create-lab", &file]).ok();
    let other = host.file("other.yaml", SMALL.replace("small", "other"));
    pki.ctl("bob", &["create-lab", &other]).ok();
    let running = |client: &str, lab: &str| {
        let mut command =
            pki.command(client, &["exec", lab, "ns1", "--", "sh", "-c", "echo up; cat; echo done"]);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.expect("starting netlabctl");
        wait_until("the command runs", LIMIT, || host.log().contains(&format!("lab=\"{lab}\" node=\"ns1\"")));
        child
    };
    let (alice, bob) = (running("alice", "small"), running("bob", "other"));
    // Renewed: the daemon's own certificate changes under live connections.
    pki.run(&["issue", "server", HOST, "--renew"]).ok();
    pki.run(&["revoke", "alice"]).ok();
    reload(&host, "was read again");
    let ended = alice.wait_with_output().expect("the exec of a revoked client ends");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(exit_code(ended.status), 125, "{said}");
    assert!(said.contains("lost netlabd at https://"), "{said}");
    let _ = pki.ctl("alice", &["list-labs"]).code(6).complains("it is revoked");
    let mut bob = bob;
    drop(bob.stdin.take());
    let ended = bob.wait_with_output().expect("the exec of the other goes on to its own end");
    assert_eq!((exit_code(ended.status), &*ended.stdout), (0, &b"up\ndone\n"[..]), "{ended:?}");
    pki.ctl("bob", &["check-lab", "other"]).ok();
    // A new certificate for the same name has the same labs.
    pki.run(&["issue", "client", "alice", "--renew"]).ok();
    pki.ctl("alice", &["check-lab", "small"]).ok();
    let _ = pki.run(&["list"]).code(0).says("revoked").says("valid");
}

fn broken_files() {
    let (host, pki, config) = served("");
    let good = fs::read_to_string(&config).expect("the configuration");
    let server = pki.path(&format!("servers/{HOST}.crt"));
    let certificate = fs::read_to_string(&server).expect("the certificate");
    let kept = || {
        reload(&host, "stays as it was");
        pki.ctl("alice", &["list-labs"]).ok();
    };
    fs::write(&server, "-----BEGIN CERTIFICATE-----\nAAAA\n").expect("writing");
    kept();
    fs::write(&server, &certificate).expect("writing");
    fs::write(&config, good.replace("ca.crl", "none.crl")).expect("writing");
    kept();
    fs::write(&config, "[tls\n").expect("writing");
    kept();
    // What cannot be used keeps everything as it was, the names too.
    let locked = format!("{good}roles_in_certificates = false\n");
    fs::write(&config, locked.replace("ca.crl", "none.crl")).expect("writing");
    kept();
    fs::write(&config, &locked).expect("writing");
    reload(&host, "was read again");
    let _ = pki.ctl("alice", &["list-labs"]).code(6).complains("\"alice\"");
    fs::write(&config, format!("{locked}users.alice = {{ role = \"member\" }}\n")).expect("writing");
    reload(&host, "was read again");
    pki.ctl("alice", &["list-labs"]).ok();
}

fn cut_cable() {
    let (host, pki, _) = served("");
    let file = host.file("small.yaml", SMALL);
    pki.ctl("alice", &["create-lab", &file]).ok();
    let mut command = pki.command("alice", &["exec", "small", "ns1", "--", "sleep", "1000"]);
    let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starting netlabctl");
    wait_until("the command runs", LIMIT, || host.log().contains("sleep"));
    // Nothing comes through any more, and nobody says so.
    host.sh("ip link set cable0 down");
    let ended = child.wait_with_output().expect("netlabctl does not wait for ever");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(exit_code(ended.status), 125, "{said}");
    assert!(said.starts_with("netlabctl: lost netlabd at https://") && said.lines().count() == 1, "{said}");
    host.ctl(&["check-lab", "small"]).ok();
}

fn contexts() {
    let (host, pki, _) = served("");
    let file = host.file("small.yaml", SMALL);
    let (cert, key, ca) = (pki.path("clients/alice.crt"), pki.path("clients/alice.key"), pki.path("ca.crt"));
    let set =
        ["context", "set", "lab1", "--host", URL, "--tls-cert", &cert, "--tls-key", &key, "--tls-ca", &ca];
    laptop(&set).ok();
    let _ = laptop(&["list-labs"]).code(3).complains("/run/netlabd/netlabd.sock");
    laptop(&["--context", "lab1", "create-lab", &file]).ok();
    laptop(&["context", "use", "lab1"]).ok();
    let _ = laptop(&["list-labs"]).code(0).says("small");
    let _ = laptop(&["--context", "lab2", "list-labs"]).code(4).complains("did you mean \"lab1\"?");
    let _ = laptop(&["context", "list"]).code(0).says("*  lab1").says(URL);
    laptop(&["context", "remove", "lab1"]).ok();
    let _ = laptop(&["list-labs"]).code(3);
}
