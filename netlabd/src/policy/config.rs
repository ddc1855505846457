//! The administrator's configuration file, TOML.

use std::{
    fs, io,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use netlab_proto::suggest::nearest;
use serde::Deserialize;

use super::{
    MEMBERS,
    address::Listen,
    value::{Bytes, NamePattern, Pool, Prefix},
};
pub use super::{ids::Ids, tls::Tls};
use crate::sandbox;

/// Where the configuration is looked for unless one is named.
pub const DEFAULT_FILE: &str = "/etc/netlabd/config.toml";

/// Why the configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{file}: {error}")]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        error: String,
    },
    /// The file says what cannot be.
    #[error("{file}:{line}:{column}: {error}")]
    Invalid {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong.
        error: String,
    },
    /// What the file names cannot be used.
    #[error("{0}")]
    Unusable(String),
}

/// The whole configuration. What a file leaves out has its default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What labs of ordinary users may touch of the host.
    pub policy: HostPolicy,
    /// How much each user may have.
    pub quotas: Quotas,
    /// What clients may ask of the daemon. Takes effect at the next start.
    pub limits: Limits,
    /// What the processes of each lab may use.
    pub lab: LabLimits,
    /// Which user and group ids labs have.
    pub ids: Ids,
    /// Metrics for Prometheus. Takes effect at the next start.
    pub metrics: MetricsConfig,
    /// Remote clients.
    pub tls: Tls,
}

/// What labs of ordinary users may touch of the host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HostPolicy {
    /// Interfaces of the host on which they may have macvlans. Default: none. What a lab itself makes on
    /// the host it may always use.
    pub macvlan_parents: Vec<NamePattern>,
    /// Bridges of the host of which they may have ports. Default: none.
    pub host_bridges: Vec<NamePattern>,
    /// VLANs that they may have on the host's interfaces and, beside the one that these give new ports, as ports of its
    /// bridges, each as `INTERFACE.ID`: `eth1.102`. Default: none.
    pub host_vlans: Vec<NamePattern>,
    /// What their interfaces on the host may be called. Default: `lab*` and `nl*`.
    pub host_interface_names: Vec<NamePattern>,
    /// Ranges from which they may take addresses on the host. Default: those for documentation (RFC 5737,
    /// RFC 3849) and for benchmarks (RFC 2544).
    pub host_addresses: Vec<Pool>,
    /// Shortest prefix of their IPv4 addresses on the host. Default: 24.
    pub host_prefix_ipv4: Prefix<32>,
    /// Shortest prefix of their IPv6 addresses on the host. Default: 64.
    pub host_prefix_ipv6: Prefix<128>,
    /// Whether they may forward ports of the host. Default: no.
    pub host_port_forwards: bool,
    /// Whether they may change sysctls of their interfaces on the host. Default: no.
    pub host_sysctls: bool,
    /// Whether they may be joined with other labs on the host. Default: no.
    pub host_joins: bool,
}

impl Default for HostPolicy {
    fn default() -> Self {
        const NAMES: [&str; 2] = ["lab*", "nl*"];
        const POOLS: [&str; 5] =
            ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15", "2001:db8::/32"];
        Self {
            macvlan_parents: Vec::new(),
            host_bridges: Vec::new(),
            host_vlans: Vec::new(),
            host_interface_names: NAMES
                .into_iter()
                .filter_map(|name| name.to_owned().try_into().ok())
                .collect(),
            host_addresses: POOLS.into_iter().filter_map(|pool| pool.to_owned().try_into().ok()).collect(),
            host_prefix_ipv4: Prefix::at_least(24),
            host_prefix_ipv6: Prefix::at_least(64),
            host_port_forwards: false,
            host_sysctls: false,
            host_joins: false,
        }
    }
}

/// How much each user may have; administrators may have as much as they like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quotas {
    /// Labs. Default: 20.
    pub labs: u32,
    /// Nodes in all labs together. Default: 500.
    pub nodes: u32,
    /// Links in all labs together. Default: 1,000.
    pub links: u32,
    /// Commands in nodes at once. Default: 64.
    pub exec_sessions: u32,
    /// Captures at once. Default: 16.
    pub captures: u32,
    /// Memory of all captures together. Default: 80 MiB.
    pub capture_memory: Bytes,
    /// Commands that run on without a client (`exec --detach`), in all labs together. Default: 64.
    pub detached_commands: u32,
    /// The same in one lab. Default: 32.
    pub detached_commands_per_lab: u32,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            labs: 20,
            nodes: 500,
            links: 1_000,
            exec_sessions: 64,
            captures: 16,
            capture_memory: Bytes(80 << 20),
            detached_commands: 64,
            detached_commands_per_lab: 32,
        }
    }
}

/// What clients may ask of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest request in bytes. Default: 16 MiB; the lab file's own limit is 8 MiB.
    pub max_message_bytes: NonZeroU32,
    /// Connections at once. Default: 1,024.
    pub max_connections: NonZeroU32,
    /// Connections of one user at once; administrators have no limit of their own. Default: 64.
    pub max_connections_per_user: NonZeroU32,
    /// Calls under way in one connection (HTTP/2 `SETTINGS_MAX_CONCURRENT_STREAMS`, RFC 9113). Default: 100.
    pub max_streams: NonZeroU32,
    /// Calls under way of one user, until the answer has been read; administrators have no limit of their
    /// own. Default: 256.
    pub max_calls_per_user: NonZeroU32,
    /// Seconds until a call must have been answered, or, if it streams, begun. Default: 120.
    pub request_timeout: NonZeroU32,
}

impl Default for Limits {
    fn default() -> Self {
        let number = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            max_message_bytes: number(16 << 20),
            max_connections: number(1_024),
            max_connections_per_user: number(64),
            max_streams: number(100),
            max_calls_per_user: number(256),
            request_timeout: number(120),
        }
    }
}

/// What the processes of each lab may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LabLimits {
    /// Memory, `memory.max` of its cgroup (cgroups(7)). Default: 2 GiB.
    pub memory_max: Bytes,
    /// Processes and threads, `pids.max`. Default: 4,096.
    pub pids_max: NonZeroU32,
    /// Whether commands may open `/dev/net/tun` and so make tun and tap interfaces. Default: no.
    pub tun: bool,
    /// Signals that wait to be delivered and timers, of the lab as a whole. Default: 4,096.
    pub pending_signals: NonZeroU32,
    /// Bytes of POSIX message queues, of the lab as a whole. Default: 800 KiB.
    pub message_queues: Bytes,
    /// Instances of inotify(7), of each user id in the lab. Default: 128.
    pub inotify_instances: NonZeroU32,
    /// Its watches. Default: 16,384.
    pub inotify_watches: NonZeroU32,
    /// Groups of fanotify(7), of each user id in the lab. Default: 16.
    pub fanotify_groups: NonZeroU32,
    /// Its marks. Default: 1,024.
    pub fanotify_marks: NonZeroU32,
}

impl Default for LabLimits {
    fn default() -> Self {
        let number =
            |number: u64| u32::try_from(number).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX);
        let ceilings = sandbox::Ceilings::default();
        Self {
            memory_max: Bytes(2 << 30),
            pids_max: number(4_096),
            tun: false,
            pending_signals: number(ceilings.pending_signals),
            message_queues: Bytes(ceilings.message_queues),
            inotify_instances: number(ceilings.inotify_instances),
            inotify_watches: number(ceilings.inotify_watches),
            fanotify_groups: number(ceilings.fanotify_groups),
            fanotify_marks: number(ceilings.fanotify_marks),
        }
    }
}

impl From<LabLimits> for sandbox::Ceilings {
    fn from(limits: LabLimits) -> Self {
        Self {
            processes: limits.pids_max.get().into(),
            pending_signals: limits.pending_signals.get().into(),
            message_queues: limits.message_queues.0,
            inotify_instances: limits.inotify_instances.get().into(),
            inotify_watches: limits.inotify_watches.get().into(),
            fanotify_groups: limits.fanotify_groups.get().into(),
            fanotify_marks: limits.fanotify_marks.get().into(),
        }
    }
}

impl From<LabLimits> for sandbox::Limits {
    fn from(limits: LabLimits) -> Self {
        Self { memory: limits.memory_max.0, processes: limits.pids_max.get(), tun: limits.tun }
    }
}

/// Metrics for Prometheus.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
    /// Where they are asked for: `off`, `unix:/PATH`, or an address and port of the loopback. Default: off.
    pub listen: Listen,
    /// Whose a unix socket is, with mode 0660. Default: group `netlab`.
    pub group: String,
    /// Whether each lab is shown by itself, with its name as a label. Default: no.
    pub per_lab: bool,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self { listen: Listen::default(), group: MEMBERS.to_owned(), per_lab: false }
    }
}

impl Config {
    /// Reads a file; one that does not exist is all defaults unless it was `named`.
    pub fn read(file: &Path, named: bool) -> Result<Self, ConfigError> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !named => return Ok(Self::default()),
            Err(error) => return Err(ConfigError::Read { file: file.into(), error: error.to_string() }),
        };
        Self::parse(&text, file)
    }

    /// Reads a file's text; `file` is named in errors.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let before = text.get(..start).unwrap_or(text);
            let last = before.rsplit_once('\n').map_or(before, |(_, last)| last);
            ConfigError::Invalid {
                file: file.into(),
                line: before.matches('\n').count() + 1,
                column: last.chars().count() + 1,
                error: with_nearest(&error.message().replace('\n', ", ")),
            }
        })
    }
}

/// An error of serde's, with the name that was meant where it names a misspelt one and those that it knows.
fn with_nearest(error: &str) -> String {
    let mut words = error.split('`').skip(1).step_by(2);
    let misspelt = words.next().filter(|_| error.starts_with("unknown "));
    match misspelt.and_then(|name| nearest(name, words)) {
        Some(name) => format!("{error}; did you mean `{name}`?"),
        None => error.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Config::parse(text, Path::new("c.toml")).unwrap_err().to_string()
    }

    #[test]
    fn the_example_says_what_the_defaults_are() {
        let example = include_str!("../../../systemd/config.toml");
        assert_eq!(Config::parse(example, Path::new("config.toml")), Ok(Config::default()));
        // Each default stands there as a line to be changed, so what is left out is found here.
        for section in ["[policy]", "[quotas]", "[limits]", "[lab]", "[ids]", "[metrics]", "[tls]"] {
            assert!(example.lines().any(|line| line == section), "{section}");
        }
        let settings = example.lines().filter(|line| !line.starts_with('#') && line.contains(" = ")).count();
        assert_eq!(settings, 44, "every setting is in the example");
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let config = Config::parse("[quotas]\nlabs = 3\n", Path::new("c.toml")).unwrap();
        assert_eq!(config.quotas, Quotas { labs: 3, ..Quotas::default() });
        assert_eq!(config.policy.host_addresses.len(), 5);
    }

    #[test]
    fn faults_have_their_place() {
        assert!(error("[quotas]\nlabs = 3\nnods = 4\n").starts_with("c.toml:3:1: unknown field `nods`"));
        assert!(error("[quotas]\nnods = 4\n").ends_with("; did you mean `nodes`?"));
        assert!(!error("[quotas]\nfrobnicate = 4\n").contains("did you mean"));
        assert!(error("[quota]\n").starts_with("c.toml:1:2: unknown field `quota`"));
        assert!(error("[quota]\n").ends_with("; did you mean `quotas`?"));
        assert!(error("[quotas]\n  labs = -1\n").starts_with("c.toml:2:10: invalid value"));
        assert!(error("[quotas]\nlabs = \n").starts_with("c.toml:2:8: "));
        assert!(error("[limits]\nmax_streams = 0\n").starts_with("c.toml:2:15: "));
        // Of an entry in a list the place is the list's; the message names the entry.
        let pool = error("[policy]\nhost_addresses = [\n  \"10.0.0.0/8\",\n  \"10.0.0.1/8\",\n]\n");
        assert_eq!(pool, "c.toml:2:18: \"10.0.0.1/8\" has bits beyond its prefix; the range is 10.0.0.0/8");
        assert!(
            error("[policy]\nhost_prefix_ipv4 = 33\n").starts_with("c.toml:2:20: 33 is no prefix length"),
            "{}",
            error("[policy]\nhost_prefix_ipv4 = 33\n")
        );
        assert!(error("[policy]\nhost_joins = 1\n").starts_with("c.toml:2:14: invalid type"));
        assert!(error("[policy]\nhost_sysctls = \"no\"\n").starts_with("c.toml:2:16: invalid type"));
        assert!(error("[policy]\nhost_prefix_ipv6 = 0\n").starts_with("c.toml:2:20: 0 is no prefix length"));
        assert!(
            error("[policy]\nhost_interface_names = [\"lab 0\"]\n")
                .starts_with("c.toml:2:24: \"lab 0\" is neither")
        );
        assert!(
            error("[metrics]\nlisten = \"0.0.0.0:9469\"\n")
                .starts_with("c.toml:2:10: \"0.0.0.0:9469\" can be reached")
        );
        assert!(
            error("[lab]\nmemory_max = \"2T\"\n").starts_with("c.toml:2:14: \"2T\" is not a number of bytes")
        );
        assert!(error("[ids]\nlabs = -1\n").starts_with("c.toml:2:8: "));
        assert!(error("\n[ids]\nfirst = 1000\n").starts_with("c.toml:2:1: first must be 65536 or more"));
        assert!(error("[lab]\ninotify_watches = 0\n").starts_with("c.toml:2:19: "));
        assert!(
            error("[lab]\nmessage_queues = \"much\"\n").starts_with("c.toml:2:18: \"much\" is not a number")
        );
        assert!(error("[quotas]\ndetached_commands = -1\n").starts_with("c.toml:2:21: "));
    }

    #[test]
    fn only_the_default_file_may_be_missing() {
        let nowhere = Path::new("/nonexistent/config.toml");
        assert_eq!(Config::read(nowhere, false), Ok(Config::default()));
        let error = Config::read(nowhere, true).unwrap_err().to_string();
        assert!(error.starts_with("/nonexistent/config.toml: No such file"), "{error}");
    }
}
