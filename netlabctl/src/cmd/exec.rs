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
    let alone = !args.all && !args.node.contains(',');
    let tty = alone && !args.detach && (args.tty || (!args.no_tty && interactive()));
    let start = ExecStart {
        lab: args.lab,
        node: args.node,
        args: args.command,
        environment: environment(tty, args.env),
        working_directory: args.workdir,
        terminal: tty.then(size),
        detach: args.detach,
    };
    if alone {
        return session(client, start, !args.no_stdin && !args.detach).await;
    }
    let nodes = exec_many::nodes(client, &start.lab, &start.node, args.all).await?;
    exec_many::run(client, &start, &nodes).await
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
