//! Options and commands for daemons on other machines.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Which daemon is meant.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Where the daemon is")]
pub(crate) struct Where {
    /// Its URL.
    #[arg(
        long,
        help = "unix:///path, https://host[:port] or ssh://[user@]host[:port]; also NETLAB_HOST",
        global = true,
        hide = true,
        value_name = "URL"
    )]
    pub(crate) host: Option<String>,
    /// A context of ~/.config/netlab/config.toml, see `netlabctl context`; also `NETLAB_CONTEXT`.
    #[arg(long, global = true, hide = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// For https: the certificate that says who you are (PEM); also `NETLAB_CERT`.
    #[arg(long, global = true, hide = true, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// For https: its key (PEM); also `NETLAB_KEY`.
    #[arg(long, global = true, hide = true, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// For https: certificates of the authority that says who the daemon is (PEM); also `NETLAB_CA`.
    #[arg(long, global = true, hide = true, value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,
}

impl Where {
    /// The options that take a value, for whoever reads a line that clap does not understand.
    pub(crate) const OPTIONS: [&str; 5] = ["--host", "--context", "--tls-cert", "--tls-key", "--tls-ca"];
}

/// Named daemons in `~/.config/netlab/config.toml`.
#[derive(Debug, Subcommand)]
pub(crate) enum Context {
    /// List the contexts; the current one is marked.
    List,
    /// Make a context the current one; `default` is this machine's daemon.
    Use(ContextName),
    /// Make or change a context: `netlabctl context set NAME --host URL [--tls-cert FILE ...]`.
    Set(ContextName),
    /// Remove a context. Its certificates stay.
    Remove(ContextName),
}

/// A context by name.
#[derive(Debug, Args)]
pub(crate) struct ContextName {
    /// Name of the context.
    pub(crate) name: String,
}

/// A small authority for certificates, in a folder of its own.
#[derive(Debug, Args)]
pub(crate) struct Pki {
    /// The authority's folder.  [default: ~/.config/netlab/pki]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: PkiCommand,
}

/// What to do with the authority.
#[derive(Debug, Subcommand)]
pub(crate) enum PkiCommand {
    /// Make the authority: ca.crt, ca.key and an empty list of revocations, ca.crl.
    Init {
        /// The authority's name, in all of its certificates.  [default: netlab CA and a random number]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Days that it is valid.
        #[arg(long, default_value_t = 3_650, value_parser = clap::value_parser!(u32).range(1..=10_950))]
        days: u32,
    },
    /// Issue a certificate, with a key of its own.
    #[command(subcommand)]
    Issue(Issue),
    /// Revoke a client's or server's certificates, or one by its serial number: writes ca.crl.
    Revoke {
        /// A client's name, a server's first name, or a serial number as `list` shows it.
        name: String,
    },
    /// List all certificates that were issued.
    List,
}

/// For whom a certificate is issued.
#[derive(Debug, Subcommand)]
pub(crate) enum Issue {
    /// For a daemon: servers/NAME.crt and .key.
    Server {
        /// Host names and addresses by which clients reach it. The first one names the files.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        #[command(flatten)]
        lifetime: Lifetime,
    },
    /// For a client: clients/NAME.crt and .key.
    Client {
        /// The client's name.
        name: String,
        /// What the client may do where nothing else is configured for the name. With --renew, the role
        /// stays as it was.
        #[arg(long, value_enum)]
        role: Option<ClientRole>,
        #[command(flatten)]
        lifetime: Lifetime,
    },
}

/// How long a certificate is valid.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Lifetime {
    /// Days that it is valid; not longer than the authority.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub(crate) days: u32,
    /// Issue a new one where there is one already. The old files are kept, with their serial number.
    #[arg(long)]
    pub(crate) renew: bool,
}

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClientRole {
    /// Has labs of its own.
    Member,
    /// May do everything.
    Admin,
}

impl ClientRole {
    /// As it stands in certificates.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }
}
