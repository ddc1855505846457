//! Certificates that openssl makes, as docs/remote.md tells, and what openssl says of ours.

use std::process::Command;

use super::Test;
use crate::{
    command::run,
    host::{TestHost, repository},
    remote::{Pki, URL, laptop_command, plug_in, reload},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] =
    &[Test::new("pki::the_openssl_recipe", recipe), Test::new("pki::openssl_agrees", openssl_agrees)];

fn recipe() {
    let mut host = TestHost::here();
    plug_in(&host);
    let text = std::fs::read_to_string(repository().join("docs/remote.md")).expect("the documentation");
    let lines = text.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the recipe");
    host.sh(&format!("mkdir /run/test/pki; cd /run/test/pki; exec 2>log; {lines}"));
    let config = "[tls]\nlisten = [\"198.18.0.1:7443\"]\ncertificate = \"/run/test/pki/server.crt\"\n\
                  key = \"/run/test/pki/server.key\"\nclient_ca = \"/run/test/pki/ca.crt\"\n\
                  client_crl = \"/run/test/pki/ca.crl\"\n";
    let config = host.file("config.toml", config);
    host.start_with(&["--config", &config]);
    let list = || {
        let file = |name: &str| format!("/run/test/pki/{name}");
        let mut command = laptop_command(&["--host", URL, "list-labs"]);
        command.args([
            "--tls-cert",
            &file("alice.crt"),
            "--tls-key",
            &file("alice.key"),
            "--tls-ca",
            &file("ca.crt"),
        ]);
        run(&mut command)
    };
    list().ok();
    let renewal = lines.trim().lines().last().expect("the last line");
    host.sh(&format!(
        "cd /run/test/pki; exec 2>log; openssl ca -config ca.conf -revoke alice.crt; {renewal}"
    ));
    reload(&host, "was read again");
    let _ = list().code(6).complains("it is revoked");
}

fn openssl_agrees() {
    let pki = Pki::init("pki");
    pki.run(&["issue", "server", "lab1.example.org", "198.18.0.1"]).ok();
    pki.client("alice", "member");
    pki.client("bob", "admin");
    pki.run(&["revoke", "bob"]).ok();
    let verify = |purpose: &str, more: &[&str], file: &str| {
        let (ca, crl) = (pki.path("ca.crt"), pki.path("ca.crl"));
        let mut command = Command::new("openssl");
        command.args([
            "verify",
            "-x509_strict",
            "-crl_check",
            "-CAfile",
            &ca,
            "-CRLfile",
            &crl,
            "-purpose",
            purpose,
        ]);
        run(command.args(more).arg(pki.path(file)))
    };
    let server = "servers/lab1.example.org.crt";
    verify("sslserver", &["-verify_hostname", "lab1.example.org", "-verify_ip", "198.18.0.1"], server).ok();
    verify("sslclient", &[], "clients/alice.crt").ok();
    let _ = verify("sslserver", &[], "clients/alice.crt").code(2);
    let _ = verify("sslclient", &[], "clients/bob.crt").code(2).complains("certificate revoked");
    let text =
        run(Command::new("openssl").args(["x509", "-noout", "-text", "-in", &pki.path("clients/alice.crt")]));
    let _ = text.code(0).says("URI:netlab:user:alice").says("URI:netlab:role:member");
}
