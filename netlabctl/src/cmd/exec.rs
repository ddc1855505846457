//! `exec` and `shell`.

use std::{collections::BTreeMap, env};

use netlab_proto::v1::ExecStart;

use super::{
    exec_many,
    session::session,
    terminal::{interactive, size},
};
use crate::{
    cli::{Exec, ShellArgs},
    client::Client,
    error::Failure,
};

/// Runs a command in a node; its exit code.
pub(super) async fn run(client: &Client, mut args: Exec) -> Result<u8, Failure> {
    if args.all {
        // No node is named: the word in its place is the command's first.
        args.command.insert(0, std::mem::take(&mut args.node));
    }
    let nodes = exec_many::nodes(client, &args.lab, &args.node, args.all).await?;
    let one = <[String; 1]>::try_from(nodes.clone()).ok().filter(|_| !args.all);
    let tty = one.is_some() && !args.detach && (args.tty || (!args.no_tty && interactive()));
    let start = ExecStart {
        lab: args.lab,
        node: one.map(|[node]| node).unwrap_or_default(),
        args: args.command,
        environment: environment(tty, args.env),
        working_directory: args.workdir,
        terminal: tty.then(size),
        detach: args.detach,
    };
    if start.node.is_empty() {
        return exec_many::run(client, &start, &nodes).await;
    }
    session(client, start, !args.no_stdin && !args.detach).await
}

/// Opens a shell in a node: on a terminal where there is one, else for a script on stdin.
pub(super) async fn shell(client: &Client, args: ShellArgs) -> Result<u8, Failure> {
    let tty = interactive();
    let start = ExecStart {
        lab: args.lab,
        node: args.node,
        environment: environment(tty, Vec::new()),
        terminal: tty.then(size),
        ..ExecStart::default()
    };
    session(client, start, true).await
}

/// The variables asked for, and the type of the terminal, which programs there must know.
fn environment(tty: bool, asked: Vec<(String, String)>) -> BTreeMap<String, String> {
    let term = env::var("TERM").ok().filter(|_| tty).map(|term| ("TERM".to_owned(), term));
    term.into_iter().chain(asked).collect()
}
