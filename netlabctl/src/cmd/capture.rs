//! `capture`.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::Stdio,
};

use netlab_proto::v1::{CaptureRequest, CaptureResponse};
use tokio::{
    fs::File,
    io::{AsyncWrite, AsyncWriteExt as _},
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
};
use tonic::Streaming;

use super::DONE;
use crate::{
    cli::Capture,
    client::Client,
    error::{FAILED, Failure, USAGE},
    hint,
};

/// How much was captured.
struct Counts {
    captured: u64,
    dropped: u64,
}

/// How a capture ended: well, or as the daemon says.
type Ended = Result<Counts, tonic::Status>;

/// Captures until Ctrl-C or `-c` packets.
pub(super) async fn run(client: &Client, args: Capture) -> Result<u8, Failure> {
    if args.write.as_deref() == Some("-") && io::stdout().is_terminal() {
        let message = "-w - would write pcapng to the terminal; pipe it, or leave -w out to read packets";
        return Err(Failure::new(USAGE, message));
    }
    let nodes: Vec<&str> = args.interfaces.iter().map(String::as_str).collect();
    let request = CaptureRequest {
        lab: args.lab.clone(),
        interfaces: args.interfaces.clone(),
        filter: args.filter.clone(),
        count: args.count,
        snapshot_length: 0,
    };
    let stream = match client.nodes().capture(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return Err(hint::explain(client, status, &args.lab, &nodes).await),
    };
    let ended = match args.write.as_deref() {
        Some("-") => copy(stream, &mut tokio::io::stdout()).await?,
        Some(path) => {
            let file = File::create(path).await;
            let mut file = file.map_err(|error| Failure::new(FAILED, format!("{path}: {error}")))?;
            copy(stream, &mut file).await?
        }
        None => decode(stream).await?,
    };
    match ended {
        Ok(Counts { captured, dropped }) => {
            let mut stderr = io::stderr().lock();
            let lost = "lost because the reader was too slow";
            let _ = writeln!(stderr, "{captured} packets captured, {dropped} {lost}");
            Ok(DONE)
        }
        Err(status) => Err(hint::explain(client, status, &args.lab, &nodes).await),
    }
}

/// Shows packets by a local tcpdump.
async fn decode(stream: Streaming<CaptureResponse>) -> Result<Ended, Failure> {
    let mut tcpdump = spawn()?;
    let mut input = tcpdump.stdin.take().ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
    let copied = copy(stream, &mut input).await;
    drop(input);
    let status = tcpdump.wait().await?;
    match copied {
        // tcpdump said on stderr what it did not like; its end by a signal is Ctrl-C or a closed pipe.
        Err(_) if status.code().is_some_and(|code| code != 0) => {
            Err(Failure::new(FAILED, format!("tcpdump ended with {status}; use -w FILE to keep the packets")))
        }
        Err(_) => Err(Failure::quiet(DONE)),
        Ok(ended) => Ok(ended),
    }
}

fn spawn() -> Result<Child, Failure> {
    let mut command = Command::new("tcpdump");
    command.args(["-n", "-l", "-r", "-"]).stdin(Stdio::piped()).kill_on_drop(true);
    command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::new(
            FAILED,
            "tcpdump is not installed here, so packets cannot be shown: install it, or use -w FILE",
        ),
        _ => Failure::new(FAILED, format!("tcpdump: {error}")),
    })
}

/// Copies the capture until it ends or Ctrl-C.
async fn copy(
    mut stream: Streaming<CaptureResponse>,
    output: &mut (impl AsyncWrite + Unpin),
) -> Result<Ended, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (mut captured, mut dropped) = (0, 0);
    let ended = loop {
        let message = tokio::select! {
            message = stream.message() => message,
            _ = interrupt.recv() => break Ok(()),
            _ = terminate.recv() => break Ok(()),
        };
        match message {
            Ok(Some(message)) => {
                output.write_all(&message.pcapng).await?;
                output.flush().await?;
                (captured, dropped) = (message.captured, message.dropped);
            }
            Ok(None) => break Ok(()),
            Err(status) => break Err(status),
        }
    };
    output.shutdown().await?;
    Ok(ended.map(|()| Counts { captured, dropped }))
}
