//! What only the daemon knows: labs, their nodes, interfaces and generations; and the contexts.

use std::{collections::BTreeSet, time::Duration};

use clap::{Args as _, Command, FromArgMatches as _};
use clap_complete::engine::CompletionCandidate;
use netlab_proto::v1::{GetLabRequest, Lab, ListRevisionsRequest};

use crate::{
    cli::Where,
    client::{Client, Daemon},
    context::{self, resolve},
    hint,
};

use super::line::{Line, line};

/// How long the daemon may take to answer: nobody waits longer for a completion.
const LIMIT: Duration = Duration::from_secs(2);

fn candidates(names: impl IntoIterator<Item = String>) -> Vec<CompletionCandidate> {
    names.into_iter().map(CompletionCandidate::new).collect()
}

pub(super) fn labs() -> Vec<CompletionCandidate> {
    let labs = ask(&line(), async |client| hint::list(&client).await.ok()).unwrap_or_default();
    candidates(labs.into_iter().map(|lab| lab.name))
}

pub(super) fn nodes() -> Vec<CompletionCandidate> {
    candidates(the_lab().nodes.into_keys())
}

/// Where a ping may begin.
pub(super) fn senders() -> Vec<CompletionCandidate> {
    candidates(the_lab().nodes.into_keys().chain(["host".to_owned()]))
}

/// What can be pinged by its name.
pub(super) fn targets() -> Vec<CompletionCandidate> {
    let lab = the_lab();
    let ends = ends(&lab);
    candidates(lab.nodes.into_keys().chain(["host".to_owned()]).chain(ends))
}

/// Where can be captured.
pub(super) fn interfaces() -> Vec<CompletionCandidate> {
    let lab = the_lab();
    let all = lab.nodes.keys().map(|node| format!("{node}:any"));
    candidates(ends(&lab).into_iter().chain(all))
}

fn ends(lab: &Lab) -> BTreeSet<String> {
    let host = lab.host.iter().map(|host| ("host", &host.interfaces));
    let nodes = lab.nodes.iter().map(|(name, node)| (name.as_str(), &node.interfaces));
    let own = nodes
        .chain(host)
        .flat_map(|(node, interfaces)| interfaces.keys().map(move |interface| format!("{node}:{interface}")));
    own.chain(lab.links.iter().flat_map(|link| link.endpoints.clone())).collect()
}

/// The generations of the line's lab that are kept.
pub(super) fn generations() -> Vec<CompletionCandidate> {
    let line = line();
    let Some(name) = line.lab() else { return Vec::new() };
    let request = ListRevisionsRequest { name: name.to_owned(), ..ListRevisionsRequest::default() };
    let answer = ask(&line, async |client| client.labs().list_revisions(request).await.ok());
    let revisions = answer.map(|answer| answer.into_inner().revisions).unwrap_or_default();
    let described = |revision: &netlab_proto::v1::Revision| {
        let what = format!("{} by {}", revision.reason, revision.who);
        CompletionCandidate::new(revision.generation.to_string()).help(Some(what.into()))
    };
    revisions.iter().map(described).collect()
}

pub(super) fn contexts() -> Vec<CompletionCandidate> {
    let config = context::file::Config::read();
    let names: BTreeSet<String> =
        config.iter().flat_map(|config| config.contexts().keys().cloned()).collect();
    candidates(names.into_iter().chain([context::DEFAULT.to_owned()]))
}

/// The lab that the line names, if it does.
fn the_lab() -> Lab {
    let line = line();
    let Some(name) = line.lab() else { return Lab::default() };
    let request = GetLabRequest { name: name.to_owned(), ..GetLabRequest::default() };
    let answer = ask(&line, async |client| client.labs().get_lab(request).await.ok());
    answer.and_then(|answer| answer.into_inner().lab?.spec).unwrap_or_default()
}

/// What the daemon of the line says, if it is quick and all goes well.
fn ask<T>(line: &Line, question: impl AsyncFnOnce(Client) -> Option<T>) -> Option<T> {
    let matches = Where::augment_args(Command::new("netlabctl").no_binary_name(true));
    let matches = matches.try_get_matches_from(&line.places).ok()?;
    let place = resolve(&Where::from_arg_matches(&matches).ok()?).ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let answer = runtime.block_on(async {
        // Nobody is there to answer for a password.
        let asked = async { question(Client::connect(Daemon { asks: false, ..place }).await.ok()?).await };
        tokio::time::timeout(LIMIT, asked).await
    });
    // What still hangs ends with the process.
    runtime.shutdown_background();
    answer.ok().flatten()
}
