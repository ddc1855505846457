//! Packets at interfaces of nodes, as one pcapng file.
//!
//! A packet socket belongs to the namespace in which it was opened; a thread opens it there and ends,
//! the daemon reads it. The kernel filters. A slow reader leaves packets in the kernel's bounded
//! buffer, which drops and counts what does not fit: never in the daemon's memory.

mod confine;
mod filter;
mod pcapng;
mod ring;
mod run;
mod socket;
mod tap;

use std::{
    os::fd::OwnedFd,
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::sync::mpsc;

pub use filter::{Filter, FilterError, compile};
pub use socket::{ANY, OpenError};

use tap::{File, Tap};

/// Chunks handed on and not yet taken.
const CHUNKS: usize = 4;
/// Bytes that each socket has at least.
const SMALLEST: usize = 1 << 20;

/// One interface to capture at.
#[derive(Debug)]
pub struct Source {
    /// The namespace.
    pub namespace: OwnedFd,
    /// The interface in it, or [`ANY`].
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
    /// Whether interfaces also take in packets for other stations. Not where all are listened to.
    pub promiscuous: bool,
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

/// Why a capture ended that nobody asked to end; the last thing that it tells.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The interfaces are gone.
    #[error("{0} is gone, so the capture is over")]
    InterfacesGone(String),
    /// A node is gone.
    #[error("a node of it is gone, so the capture is over")]
    NodeGone,
}

/// Starts a capture with buffers of about `memory` bytes in all. The first chunk, the head of the file, comes once all sockets listen. It ends
/// after `count` packets, when the receiver is dropped, when all interfaces are gone, or soon after
/// `there` says that the nodes are not.
pub fn start(
    sources: &[Source],
    options: Options,
    memory: usize,
    there: impl Fn() -> bool + Send + 'static,
) -> Result<mpsc::Receiver<Result<Chunk, Ended>>, OpenError> {
    let mut file = File::new(now_ns());
    let size = (memory / sources.len().max(1)).max(SMALLEST);
    let open = |source| Tap::open(source, &options, size, &mut file);
    let taps = sources.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let (sender, receiver) = mpsc::channel(CHUNKS);
    tokio::spawn(run::Capture { taps, options, file, sender, metered: (0, 0) }.run(there));
    Ok(receiver)
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
