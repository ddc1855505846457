//! `capture`.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::Stdio,
    time::Duration,
};

use netlab_proto::v1::{CaptureRequest, CaptureResponse};
use tokio::{
    fs::File,
    io::{AsyncWrite, AsyncWriteExt as _},
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
    time::timeout,
};
use tonic::Streaming;

use super::DONE;
use crate::{
    cli::Capture,
    client::Client,
    decode::Decoder,
    error::{FAILED, Failure, USAGE},
    hint, output,
};

/// How much was captured.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    captured: u64,
    dropped: u64,
}

/// How a capture ended, and what was captured until then.
#[derive(Debug, Default)]
pub(super) struct Ended {
    counts: Counts,
    /// By a signal.
    interrupted: bool,
    /// Other than as it was asked to, in the daemon's words.
    pub(super) error: Option<tonic::Status>,
}

/// How long a reader may take for the rest once the user has ended the capture.
const REST: Duration = Duration::from_secs(1);

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
        snapshot_length: args.snapshot_length,
        promiscuous: !args.no_promiscuous,
    };
    let stream = match client.nodes().capture(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return Err(hint::explain(client, status, &args.lab, &nodes).await),
    };
    let listening = format!("listening on {}", output::table::clean(&args.interfaces.join(", ")));
    let Ended { counts, error, .. } = match args.write.as_deref() {
        Some("-") => copy(stream, Some(&listening), &mut tokio::io::stdout()).await?,
        Some(path) => {
            let file = File::create(path).await;
            let mut file = file.map_err(|error| Failure::new(FAILED, format!("{path}: {error}")))?;
            copy(stream, Some(&listening), &mut file).await?
        }
        None if args.tcpdump => by_tcpdump(stream, &listening, args.link_header).await?,
        None => lines(stream, &listening, &args).await?,
    };
    let Counts { captured, dropped } = counts;
    let s = if captured == 1 { "" } else { "s" };
    let lost = match dropped {
        0 => String::new(),
        dropped => format!(", {dropped} lost because the reader was too slow"),
    };
    let _ = writeln!(io::stderr().lock(), "{captured} packet{s} captured{lost}");
    match error {
        None => Ok(DONE),
        Some(status) => Err(hint::explain(client, status, &args.lab, &nodes).await),
    }
}

/// Shows a line for each packet.
async fn lines(
    stream: Streaming<CaptureResponse>,
    listening: &str,
    args: &Capture,
) -> Result<Ended, Failure> {
    let names = args.interfaces.len() > 1 || args.interfaces.iter().any(|name| name.ends_with(":any"));
    let mut decoder = Decoder::new(names, args.link_header);
    follow(stream, Some(listening), async |bytes: &[u8]| {
        let text = decoder.push(bytes).map_err(|error| Failure::new(FAILED, error.to_string()))?;
        output::print(&text)
    })
    .await
}

/// Shows packets by a local tcpdump.
async fn by_tcpdump(
    stream: Streaming<CaptureResponse>,
    listening: &str,
    link_header: bool,
) -> Result<Ended, Failure> {
    let mut tcpdump = spawn(link_header)?;
    let mut input = tcpdump.stdin.take().ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
    let copied = copy(stream, Some(listening), &mut input).await;
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

fn spawn(link_header: bool) -> Result<Child, Failure> {
    let mut command = Command::new("tcpdump");
    command.args(["-n", "-l"]).args(link_header.then_some("-e")).args(["-r", "-"]);
    command.stdin(Stdio::piped()).kill_on_drop(true);
    command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            Failure::new(FAILED, "tcpdump is not installed here: install it, or leave --tcpdump out")
        }
        _ => Failure::new(FAILED, format!("tcpdump: {error}")),
    })
}

/// Copies the capture until it ends or Ctrl-C.
pub(super) async fn copy(
    stream: Streaming<CaptureResponse>,
    listening: Option<&str>,
    output: &mut (impl AsyncWrite + Unpin),
) -> Result<Ended, Failure> {
    let ended = follow(stream, listening, async |bytes: &[u8]| {
        output.write_all(bytes).await?;
        // Whoever reads a pipe has each packet at once.
        Ok(output.flush().await?)
    })
    .await?;
    if ended.interrupted {
        // Nobody waits for a reader that stands still.
        let _ = timeout(REST, output.shutdown()).await;
    } else {
        output.shutdown().await?;
    }
    Ok(ended)
}

/// Hands on the capture, piece by piece, until it ends or Ctrl-C. Tells when it listens.
async fn follow(
    mut stream: Streaming<CaptureResponse>,
    listening: Option<&str>,
    mut take: impl AsyncFnMut(&[u8]) -> Result<(), Failure>,
) -> Result<Ended, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut signalled = std::pin::pin!(async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    });
    let (mut ended, mut told) = (Ended::default(), false);
    loop {
        let message = tokio::select! {
            message = stream.message() => message,
            () = &mut signalled => return Ok(Ended { interrupted: true, ..ended }),
        };
        match message {
            Ok(Some(message)) => {
                if let Some(listening) = listening.filter(|_| !told) {
                    let _ = writeln!(io::stderr().lock(), "{listening}");
                    told = true;
                }
                tokio::select! {
                    taken = take(&message.pcapng) => taken?,
                    () = &mut signalled => return Ok(Ended { interrupted: true, ..ended }),
                }
                ended.counts = Counts { captured: message.captured, dropped: message.dropped };
            }
            Ok(None) => return Ok(ended),
            Err(status) => return Ok(Ended { error: Some(status), ..ended }),
        }
    }
}
