//! The interfaces of all labs within reach.

use std::{collections::BTreeSet, fmt::Write as _, io::Write as _, time::Duration};

use netlab_proto::v1::{GetLabRequest, Lab};
use tokio::time::timeout;

use super::{super::DONE, name::Name};
use crate::{
    cli::Where,
    client::{Client, Daemon},
    context,
    error::{Failure, NO_DAEMON},
    hint, output,
};

/// How long a daemon may take: Wireshark waits for the list before it shows anything.
const LIMIT: Duration = Duration::from_secs(5);

/// Prints the list. A daemon that cannot be reached is told on the standard error, and left out.
pub(super) async fn run(options: &Where) -> Result<u8, Failure> {
    let daemons = context::all(options)?;
    // All at once: one that is silent costs no more than the limit.
    let asked: Vec<_> = daemons
        .into_iter()
        .map(|(context, place)| {
            let (url, labs) = (place.url.clone(), tokio::spawn(timeout(LIMIT, labs(place))));
            (context, url, labs)
        })
        .collect();
    let mut text = format!("extcap {{version={}}}{{display=netlab}}\n", env!("CARGO_PKG_VERSION"));
    for (context, url, answer) in asked {
        let answer = match answer.await {
            Ok(Ok(answer)) => answer,
            _ => Err(Failure::new(NO_DAEMON, format!("{url} does not answer"))),
        };
        match answer {
            Ok(labs) => labs.iter().for_each(|lab| lines(&mut text, context.as_deref(), lab)),
            Err(failure) => {
                let of = context.map_or_else(String::new, |context| format!("context {context}: "));
                let line = format!("netlabctl: {of}{}", failure.text());
                let _ = writeln!(std::io::stderr().lock(), "{}", output::table::clean(&line));
            }
        }
    }
    output::print(&text)?;
    Ok(DONE)
}

/// The caller's labs at a daemon, by name. Those of others do not tell what they are.
async fn labs(place: Daemon) -> Result<Vec<Lab>, Failure> {
    let client = Client::connect(Daemon { asks: false, ..place }).await?;
    let ask = |name: String| {
        let mut labs = client.labs();
        tokio::spawn(async move { labs.get_lab(GetLabRequest { name, ..GetLabRequest::default() }).await })
    };
    let asked: Vec<_> = hint::list(&client).await?.into_iter().map(|lab| ask(lab.name)).collect();
    let mut labs = Vec::new();
    for answer in asked {
        // One may be gone by now.
        if let Ok(Ok(answer)) = answer.await {
            labs.extend(answer.into_inner().lab.and_then(|lab| lab.spec));
        }
    }
    Ok(labs)
}

/// A line for each interface of a lab, and one for each node as a whole.
fn lines(text: &mut String, context: Option<&str>, lab: &Lab) {
    let mut places: BTreeSet<(&str, &str)> = lab.nodes.keys().map(|node| (node.as_str(), "any")).collect();
    let hosts = lab.host.iter().map(|host| ("host", &host.interfaces));
    let nodes = lab.nodes.iter().map(|(node, is)| (node.as_str(), &is.interfaces));
    for (node, interfaces) in nodes.chain(hosts) {
        places.extend(interfaces.keys().map(|interface| (node, interface.as_str())));
    }
    places.extend(lab.links.iter().flat_map(|link| &link.endpoints).filter_map(|end| end.split_once(':')));
    for (node, interface) in places {
        let name = Name {
            context: context.map(str::to_owned),
            lab: lab.name.clone(),
            node: node.to_owned(),
            interface: interface.to_owned(),
        };
        let on = context.map_or_else(String::new, |context| format!(" on {context}"));
        let display = format!("netlab {} {}{on}", lab.name, name.place()).replace(['{', '}'], "?");
        // Writing to a string does not fail.
        let _ = writeln!(text, "interface {{value={name}}}{{display={}}}", output::table::clean(&display));
    }
}

#[cfg(test)]
mod tests {
    use netlab_proto::v1::{Host, Interface, Link, Node};

    use super::*;

    #[test]
    fn what_links_name_is_listed_too() {
        let interface = |name: &str| (name.to_owned(), Interface::default());
        let lab = Lab {
            name: "l".to_owned(),
            nodes: [("a".to_owned(), Node { interfaces: [interface("vx{")].into(), ..Node::default() })]
                .into(),
            host: Some(Host { interfaces: [interface("lab0")].into(), ..Host::default() }),
            links: vec![Link {
                endpoints: vec!["a:eth0".to_owned(), "host:lab0".to_owned()],
                ..Link::default()
            }],
            ..Lab::default()
        };
        let mut text = String::new();
        lines(&mut text, Some("box"), &lab);
        let wanted = "\
            interface {value=netlab:box:l:a:any}{display=netlab l a:any on box}\n\
            interface {value=netlab:box:l:a:eth0}{display=netlab l a:eth0 on box}\n\
            interface {value=netlab:box:l:a:vx%7b}{display=netlab l a:vx? on box}\n\
            interface {value=netlab:box:l:host:lab0}{display=netlab l host:lab0 on box}\n";
        assert_eq!(text, wanted);
    }
}
