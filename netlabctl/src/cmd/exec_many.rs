//! `exec` in several nodes, one after the other.

use std::io::Write as _;

use netlab_proto::v1::{ExecStart, GetLabRequest};

use super::{
    DONE,
    session::{own_failure, session},
};
use crate::{
    client::Client,
    error::{Failure, INTERRUPTED},
    hint,
    output::{self, table::clean},
};

/// The nodes that a word of the command line names: several separated by commas, or with `all` every one.
///
/// # Errors
/// There is no such lab, or it is another's.
pub(super) async fn nodes(client: &Client, lab: &str, word: &str, all: bool) -> Result<Vec<String>, Failure> {
    if !all {
        return Ok(word.split(',').map(str::to_owned).collect());
    }
    let request = GetLabRequest { name: lab.to_owned(), ..GetLabRequest::default() };
    let answer = match client.labs().get_lab(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return Err(hint::explain(client, status, lab, &[]).await),
    };
    let spec = answer.lab.and_then(|lab| lab.spec).unwrap_or_default();
    Ok(spec.nodes.into_keys().collect())
}

/// Runs the command in each, below the node's name as tail(1) writes it, with no input. One that fails keeps no
/// other; the exit code is that of the first that failed. Ctrl-C ends all.
pub(super) async fn run(client: &Client, start: &ExecStart, nodes: &[String]) -> Result<u8, Failure> {
    let mut first = DONE;
    for (number, node) in nodes.iter().enumerate() {
        let gap = if number == 0 { "" } else { "\n" };
        output::print(&format!("{gap}==> {node} <==\n"))?;
        let ended = session(client, ExecStart { node: node.clone(), ..start.clone() }, false).await;
        let code = match ended {
            Ok(code) => code,
            Err(failure) if failure.nobody_reads() => return Err(failure),
            Err(failure) => {
                for line in &failure.lines {
                    let _ = writeln!(std::io::stderr().lock(), "{}", clean(line));
                }
                own_failure(failure.code)
            }
        };
        if first == DONE {
            first = code;
        }
        if code == INTERRUPTED {
            break;
        }
    }
    Ok(first)
}
