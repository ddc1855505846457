//! Errors of the daemon, with "did you mean" for misspelt labs and nodes.

use netlab_proto::{
    suggest::nearest,
    v1::{GetLabRequest, LabResource, ListLabsRequest},
};
use tonic::{Code, Status};

use crate::{
    client::Client,
    error::{Failure, exit_code, reason},
    labfile::LabFile,
};

/// Labs that are asked for at once.
const PAGE: u32 = 1000;

/// Turns a status into a failure. Where it says that `lab` or one of `nodes` does not exist, the
/// daemon is asked for the names that do.
pub(crate) async fn explain(client: &Client, status: Status, lab: &str, nodes: &[&str]) -> Failure {
    if status.code() == Code::InvalidArgument && std::path::Path::new(lab).is_file() {
        let of = LabFile::read(lab, &[]).map(|file| file.lab.name);
        let name =
            of.map_or_else(|_| "a lab's name is wanted".to_owned(), |name| format!("its lab is {name}"));
        return Failure::new(exit_code(&status), format!("{lab} is a file; {name}"));
    }
    if status.code() != Code::NotFound || status.message().contains("did you mean") {
        return status.into();
    }
    let near = match reason(&status).as_str() {
        "LAB_NOT_FOUND" => near_lab(client, lab).await,
        "NODE_NOT_FOUND" => near_node(client, lab, nodes).await,
        _ => None,
    };
    match near {
        Some(near) => {
            Failure::new(exit_code(&status), format!("{}; did you mean {near:?}?", status.message()))
        }
        None => status.into(),
    }
}

async fn near_lab(client: &Client, lab: &str) -> Option<String> {
    let labs = list(client).await.ok()?;
    nearest(lab, labs.iter().map(|lab| lab.name.as_str())).map(str::to_owned)
}

async fn near_node(client: &Client, lab: &str, nodes: &[&str]) -> Option<String> {
    let request = GetLabRequest { name: lab.to_owned(), ..GetLabRequest::default() };
    let spec = client.labs().get_lab(request).await.ok()?.into_inner().lab?.spec?;
    // An argument may be `node:interface` or an address.
    let wrong = nodes.iter().map(|node| node.split(':').next().unwrap_or(node));
    wrong
        .filter(|node| !spec.nodes.contains_key(*node))
        .find_map(|node| nearest(node, spec.nodes.keys().map(String::as_str)).map(str::to_owned))
}

/// All labs, page by page.
pub(crate) async fn list(client: &Client) -> Result<Vec<LabResource>, Status> {
    let mut labs = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListLabsRequest { page_size: PAGE, page_token };
        let page = client.labs().list_labs(request).await?.into_inner();
        labs.extend(page.labs);
        if page.next_page_token.is_empty() {
            return Ok(labs);
        }
        page_token = page.next_page_token;
    }
}
