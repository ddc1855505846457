//! `extcap`: interfaces of labs in Wireshark's own list, extcap(4).
//!
//! Wireshark runs each program of its extcap folder with one question at a time, and takes answers from
//! the standard output. What is said on the standard error is shown to the user.

mod list;
mod name;

use netlab_proto::v1::CaptureRequest;
use tokio::fs::File;

use super::{
    DONE,
    capture::{Ended, copy},
};
use crate::{
    cli::{Extcap, Where},
    client::{Client, Daemon},
    context::resolve,
    error::{FAILED, Failure, USAGE},
    hint, output,
};
use name::Name;

/// What `--extcap-config` answers: options that Wireshark offers and gives back to a capture.
const OPTIONS: &str = "\
arg {number=0}{call=--snapshot-length}{display=Bytes kept of each packet}{type=unsigned}{range=1,262144}{default=262144}
arg {number=1}{call=--no-promiscuous}{display=Leave out packets for other stations}{tooltip=Most of what passes a bridge is for other stations}{type=boolflag}{default=false}
";

/// What `--extcap-dlts` answers: all that labs are made of has Ethernet headers.
const LINK_TYPES: &str = "dlt {number=1}{name=EN10MB}{display=Ethernet}\n";

/// Answers the question.
pub(super) async fn run(options: &Where, args: &Extcap) -> Result<u8, Failure> {
    let Some(text) = &args.interface else {
        return list::run(options).await;
    };
    let name = Name::parse(text).ok_or_else(|| {
        let message =
            format!("{text}: expected netlab:[CONTEXT:]LAB:NODE:INTERFACE, see --extcap-interfaces");
        Failure::new(USAGE, message)
    })?;
    if args.link_types {
        output::print(LINK_TYPES)?;
    } else if args.options {
        output::print(OPTIONS)?;
    } else if args.capture {
        return capture(options, &name, args).await;
    } else if let Some(filter) = &args.filter {
        // Whoever begins a capture with it hears what is wrong. Silence: nothing is.
        if let Err(failure) = begin(options, &name, args, filter).await {
            output::print(&format!("{}\n", failure.text()))?;
        }
    } else {
        return Err(Failure::new(USAGE, "nothing is asked of the interface; see extcap(4)"));
    }
    Ok(DONE)
}

/// The daemon that a name means.
fn place(options: &Where, name: &Name) -> Result<Daemon, Failure> {
    let place = match &name.context {
        None => resolve(options)?,
        Some(_) => resolve(&Where { context: name.context.clone(), host: None, ..options.clone() })?,
    };
    // Nobody is there to answer.
    Ok(Daemon { asks: false, ..place })
}

async fn begin(
    options: &Where,
    name: &Name,
    args: &Extcap,
    filter: &str,
) -> Result<tonic::Streaming<netlab_proto::v1::CaptureResponse>, Failure> {
    let client = Client::connect(place(options, name)?).await?;
    let request = CaptureRequest {
        lab: name.lab.clone(),
        interfaces: vec![name.place()],
        filter: filter.to_owned(),
        count: 0,
        snapshot_length: args.snapshot_length,
        promiscuous: !args.no_promiscuous,
    };
    match client.nodes().capture(request).await {
        Ok(answer) => Ok(answer.into_inner()),
        Err(status) => Err(hint::explain(&client, status, &name.lab, &[&name.node]).await),
    }
}

/// Captures until a signal, the end of the lab, or until nobody reads any more.
async fn capture(options: &Where, name: &Name, args: &Extcap) -> Result<u8, Failure> {
    let stream = begin(options, name, args, args.filter.as_deref().unwrap_or_default()).await?;
    let path = args.fifo.clone().unwrap_or_default();
    let fifo = File::create(&path).await;
    let mut fifo = fifo.map_err(|error| Failure::new(FAILED, format!("{}: {error}", path.display())))?;
    match copy(stream, None, &mut fifo).await {
        Ok(Ended { error: Some(status), .. }) => Err(status.into()),
        Ok(_) => Ok(DONE),
        Err(failure) if failure.nobody_reads() => Ok(DONE),
        Err(failure) => Err(failure),
    }
}
