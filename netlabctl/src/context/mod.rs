//! Which daemon is meant, and with which certificates.
//!
//! The first of these that is given: `--host`, `--context`, `NETLAB_HOST`, `NETLAB_CONTEXT`, the current
//! context of the configuration, the daemon of this machine. Certificates: option, environment, the context's,
//! then `client.crt`, `client.key` and `ca.crt` beside the configuration.

pub(crate) mod file;

use std::{
    env,
    path::{Path, PathBuf},
};

use netlab_proto::suggest::nearest;

use crate::{
    cli::Where,
    client::{Credentials, Daemon},
    context::file::{Config, Context},
    error::{Failure, NOT_FOUND, USAGE},
};

/// The daemon of this machine.
pub(crate) const LOCAL: &str = "unix:///run/netlabd/netlabd.sock";

/// The name that stands for it.
pub(crate) const DEFAULT: &str = "default";

/// Finds out which daemon is meant.
///
/// # Errors
/// Exit code 2 for a configuration that cannot be used, 4 for a context that is not in it.
pub(crate) fn resolve(options: &Where) -> Result<Daemon, Failure> {
    Ok(place(options, chosen(options)?))
}

fn place(options: &Where, named: Named) -> Daemon {
    let (url, certificate, key, ca) = match named {
        Named::Url(url) => (url, None, None, None),
        Named::Context(context) => (context.host, context.certificate, context.key, context.ca),
    };
    let file = |option: &Option<PathBuf>, variable, context: Option<PathBuf>, name| {
        option.clone().or_else(|| variable_of(variable).map(PathBuf::from)).or(context).unwrap_or_else(|| {
            // Without a home the name alone says what is missing.
            file::folder().unwrap_or_default().join(name)
        })
    };
    let credentials = Credentials {
        certificate: file(&options.tls_cert, "NETLAB_CERT", certificate, "client.crt"),
        key: file(&options.tls_key, "NETLAB_KEY", key, "client.key"),
        ca: file(&options.tls_ca, "NETLAB_CA", ca, "ca.crt"),
    };
    Daemon { url, credentials, asks: true }
}

/// All daemons there are: the one that is meant, without a name, and those of the other contexts by theirs.
/// Where options name a daemon, that one alone.
///
/// # Errors
/// Those of [`resolve`].
pub(crate) fn all(options: &Where) -> Result<Vec<(Option<String>, Daemon)>, Failure> {
    let mut all = vec![(None, resolve(options)?)];
    if options.host.is_some() || options.context.is_some() {
        return Ok(all);
    }
    let config = Config::read()?;
    let contexts = config.contexts();
    // Not every machine that reaches others has a daemon of its own.
    let here = !contexts.contains_key(DEFAULT)
        && LOCAL.strip_prefix("unix://").is_some_and(|path| Path::new(path).exists());
    let local = here.then(|| (DEFAULT, Named::Url(LOCAL.to_owned())));
    let others = contexts.iter().map(|(name, context)| (name.as_str(), Named::Context(context.clone())));
    for (name, named) in local.into_iter().chain(others) {
        let place = place(options, named);
        if all.iter().all(|(_, known)| known.url != place.url) {
            all.push((Some(name.to_owned()), place));
        }
    }
    Ok(all)
}

/// The local daemon, whatever contexts there are: what `dial-stdio` reaches.
pub(crate) fn local(options: &Where) -> String {
    options.host.clone().or_else(|| variable_of("NETLAB_HOST")).unwrap_or_else(|| LOCAL.to_owned())
}

enum Named {
    Url(String),
    Context(Context),
}

fn chosen(options: &Where) -> Result<Named, Failure> {
    if options.host.is_some() && options.context.is_some() {
        return Err(Failure::new(
            USAGE,
            "--host and --context both say where the daemon is; use one of them",
        ));
    }
    if let Some(url) = &options.host {
        return Ok(Named::Url(url.clone()));
    }
    if let Some(name) = &options.context {
        return named(&Config::read()?, name, "--context");
    }
    if let Some(url) = variable_of("NETLAB_HOST") {
        return Ok(Named::Url(url));
    }
    let config = Config::read()?;
    if let Some(name) = variable_of("NETLAB_CONTEXT") {
        return named(&config, &name, "NETLAB_CONTEXT");
    }
    match config.current() {
        Some(name) => named(&config, name, "current"),
        None => Ok(Named::Url(LOCAL.to_owned())),
    }
}

fn named(config: &Config, name: &str, asked_by: &str) -> Result<Named, Failure> {
    match config.contexts().get(name) {
        Some(context) => Ok(Named::Context(context.clone())),
        None if name == DEFAULT => Ok(Named::Url(LOCAL.to_owned())),
        None => Err(unknown(config, name, asked_by)),
    }
}

/// There is no such context.
pub(crate) fn unknown(config: &Config, name: &str, asked_by: &str) -> Failure {
    let hint = match nearest(name, config.contexts().keys().map(String::as_str)) {
        Some(near) => format!("did you mean {near:?}?"),
        None => "netlabctl context list shows all".to_owned(),
    };
    Failure::new(NOT_FOUND, format!("{asked_by}: there is no context {name:?}; {hint}"))
}

/// An environment variable that is set to something.
fn variable_of(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
