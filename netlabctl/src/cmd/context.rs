//! `context`: named daemons.

use std::path::{Path, PathBuf};

use serde::Serialize;
use toml_edit::value;

use super::DONE;
use crate::{
    cli::{Context as Verb, Output, Where},
    client,
    context::{
        self, DEFAULT, LOCAL,
        file::{self, Config, Context},
    },
    error::{Failure, USAGE},
    output::{self, table},
};

/// Lists or changes the contexts.
pub(super) fn run(options: &Where, format: Output, verb: Verb) -> Result<u8, Failure> {
    let config = Config::read()?;
    match verb {
        Verb::List => list(&config, format)?,
        Verb::Use(args) if args.name == DEFAULT => {
            config.change(|document| {
                document.remove("current");
            })?;
            output::line("this machine's daemon is the current one")?;
        }
        Verb::Use(args) => {
            known(&config, &args.name)?;
            config.change(|document| document["current"] = value(&args.name))?;
            output::line(&format!("context {} is the current one", args.name))?;
        }
        Verb::Set(args) => {
            set(&config, options, &args.name)?;
            output::line(&format!("context {0} is set; use it: netlabctl context use {0}", args.name))?;
        }
        Verb::Remove(args) => {
            known(&config, &args.name)?;
            config.change(|document| file::remove(document, &args.name))?;
            output::line(&format!("context {} is removed", args.name))?;
        }
    }
    Ok(DONE)
}

fn known(config: &Config, name: &str) -> Result<(), Failure> {
    if config.contexts().contains_key(name) { Ok(()) } else { Err(context::unknown(config, name, "context")) }
}

#[derive(Serialize)]
struct Contexts<'a> {
    contexts: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    current: bool,
    #[serde(flatten)]
    context: Context,
}

fn list(config: &Config, format: Output) -> Result<(), Failure> {
    let local = Context { host: LOCAL.to_owned(), ..Context::default() };
    let current = config.current().unwrap_or(DEFAULT);
    let own = (!config.contexts().contains_key(DEFAULT)).then_some((DEFAULT, &local));
    let others = config.contexts().iter().map(|(name, context)| (name.as_str(), context));
    let rows: Vec<Row<'_>> = own
        .into_iter()
        .chain(others)
        .map(|(name, context)| Row { name, current: name == current, context: context.clone() })
        .collect();
    let all = Contexts { contexts: rows };
    output::own(format, &all, || {
        let line = |row: &Row<'_>| {
            let mark = if row.current { "*" } else { "" };
            let file = row.context.certificate.as_ref().map(|path| path.display().to_string());
            [mark.to_owned(), row.name.to_owned(), row.context.host.clone(), file.unwrap_or_default()]
        };
        let rows: Vec<_> = all.contexts.iter().map(line).collect();
        table::write(["", "NAME", "HOST", "CERTIFICATE"], &rows)
    })
}

fn set(config: &Config, options: &Where, name: &str) -> Result<(), Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name == DEFAULT || !name.chars().all(plain) {
        let message =
            format!("{name:?} cannot name a context: letters, digits, '.', '_', '-', and not {DEFAULT:?}");
        return Err(Failure::new(USAGE, message));
    }
    match &options.host {
        Some(url) => client::check(url)?,
        None if config.contexts().contains_key(name) => {}
        None => {
            let message = format!("a new context needs a host: netlabctl context set {name} --host URL");
            return Err(Failure::new(USAGE, message));
        }
    }
    let new = Context {
        host: options.host.clone().unwrap_or_default(),
        certificate: absolute(options.tls_cert.as_deref())?,
        key: absolute(options.tls_key.as_deref())?,
        ca: absolute(options.tls_ca.as_deref())?,
    };
    config.change(|document| file::put(document, name, &new))
}

/// The same file, wherever netlabctl is run.
fn absolute(path: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    Ok(path.map(std::path::absolute).transpose()?)
}
