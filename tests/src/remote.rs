//! A laptop beside the private host, and certificates for both.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType,
    SerialNumber,
};
use time::OffsetDateTime;

use crate::{
    command::{Output, run, wait_until},
    daemon::program,
    host::{TestHost, repository},
};

/// The laptop's namespace.
pub const LAPTOP: &str = "laptop";
/// The private host's address on the cable to the laptop.
pub const HOST: &str = "198.18.0.1";
/// The laptop's address.
pub const LAPTOP_ADDRESS: &str = "198.18.0.2";
/// Where netlabd listens.
pub const URL: &str = "https://198.18.0.1:7443";
/// That as an address.
pub const LISTEN: &str = "198.18.0.1:7443";

/// How long to wait for what must come.
const LIMIT: Duration = Duration::from_secs(30);

/// Joins a laptop to the private host by a cable.
pub fn plug_in(host: &TestHost) {
    host.sh(&format!(
        "ip netns add {LAPTOP}
         ip link add cable0 type veth peer name eth0 netns {LAPTOP}
         ip address add {HOST}/24 dev cable0; ip link set cable0 up
         ip -n {LAPTOP} address add {LAPTOP_ADDRESS}/24 dev eth0; ip -n {LAPTOP} link set eth0 up
         ip -n {LAPTOP} link set lo up; mkdir /run/test/home"
    ));
}

/// netlabctl on the laptop, ready to be run.
pub fn laptop_command(args: &[&str]) -> Command {
    laptop_program(program("netlabctl"), args)
}

/// Any program there.
pub fn laptop_program(program: impl AsRef<OsStr>, args: &[&str]) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", LAPTOP]).arg(program).args(args);
    command.env_remove("NETLAB_HOST").env_remove("XDG_CONFIG_HOME").env("HOME", "/run/test/home");
    command.current_dir(repository());
    command
}

/// Runs netlabctl on the laptop.
pub fn laptop(args: &[&str]) -> Output {
    run(&mut laptop_command(args))
}

/// An authority made by `netlabctl pki`.
#[derive(Debug, Clone)]
pub struct Pki {
    dir: PathBuf,
}

/// A certificate that `netlabctl pki` would not issue.
#[derive(Debug, Clone, Copy)]
pub struct Odd {
    /// Valid from so many days from now on.
    pub from: i64,
    /// And until so many days from now.
    pub until: i64,
    /// Whether it is for a server; else for a client.
    pub server: bool,
    /// The URIs among its names.
    pub uris: &'static [&'static str],
    /// The common name; for a server also its address.
    pub name: &'static str,
}

impl Default for Odd {
    fn default() -> Self {
        let uris = &["netlab:user:odd", "netlab:role:admin"];
        Self { from: -1, until: 1, server: false, uris, name: "odd" }
    }
}

impl Pki {
    /// Makes one.
    pub fn init(name: &str) -> Self {
        let pki = Self { dir: Path::new("/run/test").join(name) };
        pki.run(&["init"]).ok();
        pki
    }

    /// Runs `netlabctl pki` on it.
    pub fn run(&self, args: &[&str]) -> Output {
        run(Command::new(program("netlabctl")).arg("pki").arg("--dir").arg(&self.dir).args(args))
    }

    /// The path of one of its files.
    pub fn path(&self, name: &str) -> String {
        self.dir.join(name).to_str().expect("a path of ours is UTF-8").to_owned()
    }

    /// Issues a client's certificate.
    pub fn client(&self, name: &str, role: &str) {
        self.run(&["issue", "client", name, "--role", role]).ok();
    }

    /// Makes a certificate by hand, signed by this authority; `clients/FILE.crt` and `.key`.
    pub fn odd(&self, file: &str, odd: Odd) {
        let read = |name: &str| fs::read_to_string(self.path(name)).expect("reading the authority");
        let key = KeyPair::from_pem(&read("ca.key")).expect("a key");
        let issuer = Issuer::from_ca_cert_pem(&read("ca.crt"), key).expect("an authority");
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, odd.name);
        let uri = |uri: &&str| SanType::URI((*uri).try_into().expect("a URI"));
        params.subject_alt_names = odd.uris.iter().map(uri).collect();
        params.extended_key_usages = vec![if odd.server {
            params.subject_alt_names.push(SanType::IpAddress(odd.name.parse().expect("an address")));
            ExtendedKeyUsagePurpose::ServerAuth
        } else {
            ExtendedKeyUsagePurpose::ClientAuth
        }];
        let day = |days| OffsetDateTime::now_utc() + time::Duration::days(days);
        (params.not_before, params.not_after) = (day(odd.from), day(odd.until));
        params.serial_number = Some(SerialNumber::from(4_711_u64));
        let own = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&own, &issuer).expect("a certificate");
        let folder = self.path("clients");
        fs::create_dir_all(&folder).expect("making a folder");
        fs::write(format!("{folder}/{file}.crt"), certificate.pem()).expect("writing a certificate");
        let path = format!("{folder}/{file}.key");
        fs::write(&path, own.serialize_pem()).expect("writing a key");
        let _ = run(Command::new("chmod").args(["600", &path])).code(0);
    }

    /// netlabctl on the laptop with a client's certificate, ready to be run against the private host.
    pub fn command(&self, client: &str, args: &[&str]) -> Command {
        let mut command = laptop_command(args);
        command
            .env("NETLAB_HOST", URL)
            .env("NETLAB_CERT", self.path(&format!("clients/{client}.crt")))
            .env("NETLAB_KEY", self.path(&format!("clients/{client}.key")))
            .env("NETLAB_CA", self.path("ca.crt"));
        command
    }

    /// Runs netlabctl on the laptop with a client's certificate.
    pub fn ctl(&self, client: &str, args: &[&str]) -> Output {
        run(&mut self.command(client, args))
    }

    /// The configuration of a daemon with a certificate of this authority, and `more` in `[tls]`.
    pub fn config(&self, server: &str, more: &str) -> String {
        format!(
            "[tls]\nlisten = [\"{LISTEN}\"]\ncertificate = \"{0}/{server}.crt\"\nkey = \"{0}/{server}.key\"\n\
             client_ca = \"{0}/ca.crt\"\nclient_crl = \"{0}/ca.crl\"\n{more}",
            self.dir.display()
        )
    }
}

/// A private host that serves a laptop by TLS: the host, its authority with clients `alice` and `bob`
/// (members) and `root` (an administrator), and its configuration file.
pub fn served(more: &str) -> (TestHost, Pki, String) {
    let mut host = TestHost::here();
    plug_in(&host);
    let pki = Pki::init("pki");
    pki.run(&["issue", "server", HOST]).ok();
    for (name, role) in [("alice", "member"), ("bob", "member"), ("root", "admin")] {
        pki.client(name, role);
    }
    let file = host.file("config.toml", pki.config(&format!("servers/{HOST}"), more));
    host.start_with(&["--config", &file]);
    (host, pki, file)
}

/// Has netlabd read its configuration again, and waits until its log has one more line with `logged`.
pub fn reload(host: &TestHost, logged: &str) {
    let count = || host.log().matches(logged).count();
    let before = count();
    host.reload();
    wait_until(logged, LIMIT, || count() > before);
}
