//! `pki`: a small authority for certificates.

use std::path::PathBuf;

use serde::Serialize;
use time::OffsetDateTime;

use super::DONE;
use crate::{
    cli::{Issue, Output, Pki, PkiCommand},
    context,
    error::{Failure, USAGE},
    output::{self, table},
    pki::{self, Authority, Issued, Kind, show},
};

/// Does what was asked of the authority.
pub(super) fn run(args: Pki, format: Output) -> Result<u8, Failure> {
    let dir = folder(args.dir)?;
    match args.command {
        PkiCommand::Init { name, days } => {
            let end = show(pki::init(&dir, name, days)?);
            output::line(&format!(
                "{0}: authority made, valid until {end}\nkeep {0}/ca.key; daemons need ca.crt and ca.crl, clients ca.crt",
                dir.display()
            ))?;
        }
        PkiCommand::Issue(issue) => {
            let authority = Authority::open(&dir)?;
            let pair = match issue {
                Issue::Server { names, lifetime } => authority.issue_server(&names, lifetime)?,
                Issue::Client { name, role, lifetime } => authority.issue_client(&name, role, lifetime)?,
            };
            let (certificate, key, end) =
                (pair.certificate.display(), pair.key.display(), show(pair.issued.not_after));
            output::own(format, &pair.issued, || format!("{certificate}\n{key}\nvalid until {end}\n"))?;
        }
        PkiCommand::Revoke { name } => {
            let revoked = Authority::open(&dir)?.revoke(&name)?;
            let list = dir.join("ca.crl");
            let list = list.display();
            let lines = revoked.iter().map(|one| format!("revoked {} of {}\n", one.serial, one.name));
            let text = match lines.collect::<String>() {
                none if none.is_empty() => format!("all certificates of {name} were revoked before\n"),
                text => text,
            };
            output::print(&format!(
                "{text}{list} is new: copy it to the daemons, then systemctl reload netlabd there\n"
            ))?;
        }
        PkiCommand::List => list(&Authority::open(&dir)?, format)?,
    }
    Ok(DONE)
}

fn folder(named: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let found = named.or_else(|| Some(context::file::folder()?.join("pki")));
    found.ok_or_else(|| Failure::new(USAGE, "without HOME, say where the authority is: --dir DIR"))
}

#[derive(Serialize)]
struct Certificates {
    certificates: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    issued: Issued,
    state: &'static str,
}

fn list(authority: &Authority, format: Output) -> Result<(), Failure> {
    let now = OffsetDateTime::now_utc();
    let row = |(issued, revoked): (Issued, bool)| {
        let state = match &issued {
            _ if revoked => "revoked",
            issued if issued.not_after < now => "expired",
            issued if issued.not_before > now => "not yet valid",
            _ => "valid",
        };
        Row { issued, state }
    };
    let all = Certificates { certificates: authority.list()?.into_iter().map(row).collect() };
    output::own(format, &all, || {
        let line = |row: &Row| {
            let one = &row.issued;
            let kind = if one.kind == Kind::Server { "server" } else { "client" };
            let name = if one.names.is_empty() { one.name.clone() } else { one.names.join(" ") };
            let role = one.role.clone().unwrap_or_default();
            [one.serial.clone(), kind.to_owned(), name, role, show(one.not_after), row.state.to_owned()]
        };
        let rows: Vec<_> = all.certificates.iter().map(line).collect();
        table::write(["SERIAL", "KIND", "NAME", "ROLE", "EXPIRES", "STATE"], &rows)
    })
}
