//! Packets at interfaces of nodes, as one pcapng file.
//!
//! A packet socket belongs to the namespace in which it was opened; a thread opens it there and ends,
//! the daemon reads it. The kernel filters. A slow reader leaves packets in the kernel's bounded
//! buffer, which drops and counts what does not fit: never in the daemon's memory.

mod filter;
mod pcapng;
mod socket;

use std::{io, os::fd::OwnedFd};

use tokio::{io::unix::AsyncFd, sync::mpsc};

pub use filter::{Filter, FilterError, compile};
pub use socket::OpenError;

use socket::PacketSocket;

use crate::metrics::meters;

/// Bytes of pcapng gathered before they are handed on.
const CHUNK: usize = 64 << 10;
/// Chunks handed on and not yet taken.
const CHUNKS: usize = 4;

/// One interface to capture at.
#[derive(Debug)]
pub struct Source {
    /// The namespace.
    pub namespace: OwnedFd,
    /// The interface in it.
    pub interface: String,
    /// Its name in the file, for example `ns1:eth0`.
    pub label: String,
}

/// What to capture.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the kernel lets through.
    pub filter: Filter,
    /// End after this many packets.
    pub count: Option<u64>,
    /// Bytes kept of each packet.
    pub snapshot_length: u32,
}

/// The next piece of a capture.
#[derive(Debug, Clone, Default)]
pub struct Chunk {
    /// The next bytes of the file.
    pub pcapng: Vec<u8>,
    /// Packets so far.
    pub captured: u64,
    /// Packets that the kernel dropped so far.
    pub dropped: u64,
}

/// Starts a capture. The first chunk, the head of the file, comes once all sockets listen. It ends
/// after `count` packets, when the receiver is dropped, or when an interface goes.
pub fn start(sources: Vec<Source>, options: Options) -> Result<mpsc::Receiver<Chunk>, OpenError> {
    let mut sockets = Vec::new();
    for source in &sources {
        let socket = PacketSocket::open(source, &options)?;
        let failed = |error| OpenError::Io { label: source.label.clone(), error };
        sockets.push(socket.register().map_err(failed)?);
    }
    let labels: Vec<String> = sources.into_iter().map(|source| source.label).collect();
    let (sender, receiver) = mpsc::channel(CHUNKS);
    tokio::spawn(run(sockets, labels, options, sender));
    Ok(receiver)
}

async fn run(
    sockets: Vec<AsyncFd<PacketSocket>>,
    labels: Vec<String>,
    options: Options,
    sender: mpsc::Sender<Chunk>,
) {
    let mut chunk = Chunk { pcapng: pcapng::head(&labels, options.snapshot_length), ..Chunk::default() };
    let mut counted = (0, 0);
    loop {
        chunk.dropped = sockets.iter().map(|socket| socket.get_ref().dropped()).sum();
        counted = count(&chunk, counted);
        let out = Chunk { pcapng: std::mem::take(&mut chunk.pcapng), ..chunk.clone() };
        if sender.send(out).await.is_err() {
            return;
        }
        if options.count.is_some_and(|count| chunk.captured >= count) {
            return;
        }
        let readable = tokio::select! {
            number = any_readable(&sockets) => number,
            () = sender.closed() => return,
        };
        let Ok(first) = readable else { return };
        if drain(&sockets, first, &options, &mut chunk).is_err() {
            // The interface is gone. What came before it went is handed on.
            count(&chunk, counted);
            let _ = sender.send(chunk).await;
            return;
        }
    }
}

/// Counts what came since the last time.
fn count(chunk: &Chunk, (captured, dropped): (u64, u64)) -> (u64, u64) {
    meters().packets_captured.inc_by(chunk.captured - captured);
    meters().packets_dropped.inc_by(chunk.dropped - dropped);
    (chunk.captured, chunk.dropped)
}

/// Waits until one of the sockets can be read, and tells which.
async fn any_readable(sockets: &[AsyncFd<PacketSocket>]) -> io::Result<usize> {
    let waits = sockets.iter().enumerate().map(|(number, socket)| {
        Box::pin(async move {
            // The readiness is cleared by the read that finds the socket empty.
            socket.readable().await.map(|mut guard| guard.retain_ready())?;
            Ok(number)
        })
    });
    first(waits.collect()).await
}

/// The first of some futures to be done.
async fn first<F: Future<Output = io::Result<usize>> + Unpin>(mut waits: Vec<F>) -> io::Result<usize> {
    std::future::poll_fn(move |context| {
        for wait in &mut waits {
            let polled = std::pin::Pin::new(wait).poll(context);
            if polled.is_ready() {
                return polled;
            }
        }
        std::task::Poll::Pending
    })
    .await
}

/// Reads what is there, beginning with one socket, until a chunk is full.
fn drain(
    sockets: &[AsyncFd<PacketSocket>],
    start: usize,
    options: &Options,
    chunk: &mut Chunk,
) -> io::Result<()> {
    for offset in 0..sockets.len() {
        let number = (start + offset) % sockets.len();
        let socket = &sockets[number];
        while chunk.pcapng.len() < CHUNK && options.count.is_none_or(|count| chunk.captured < count) {
            if let Some(packet) = socket.get_ref().receive()? {
                let interface = u32::try_from(number).unwrap_or_default();
                pcapng::packet(&mut chunk.pcapng, interface, &packet);
                chunk.captured += 1;
            } else {
                clear(socket);
                break;
            }
        }
    }
    Ok(())
}

/// Makes the runtime wait for the next packet.
fn clear(socket: &AsyncFd<PacketSocket>) {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    if let std::task::Poll::Ready(Ok(mut guard)) = socket.poll_read_ready(&mut context) {
        guard.clear_ready();
    }
}
