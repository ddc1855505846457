//! The work of a capture: from the kernel's buffers into the file, in the order of time.

use std::time::Duration;

use tokio::{sync::mpsc, time};

use super::{
    Chunk, Ended, Options, now_ns,
    ring::RETIRE_MS,
    tap::{File, Tap},
};
use crate::meters::meters;

/// Bytes of pcapng gathered before they are handed on.
const CHUNK: usize = 256 << 10;
/// How long a packet may be in a block that the kernel has not handed over yet: two rounds of its timer,
/// and some for a busy machine.
const UNSEEN: Duration = Duration::from_millis(5 * RETIRE_MS as u64);
/// How often counts are written and the nodes looked for.
const TICK: Duration = Duration::from_millis(500);

/// A capture under way.
pub(super) struct Capture {
    pub(super) taps: Vec<Tap>,
    pub(super) options: Options,
    pub(super) file: File,
    pub(super) sender: mpsc::Sender<Result<Chunk, Ended>>,
    /// Packets captured and dropped, as far as the metrics know of them.
    pub(super) metered: (u64, u64),
}

/// Why `fill` stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Filled {
    /// There is more.
    Full,
    /// All that there was is written.
    Dry,
    /// What there is has to wait: an older packet may still be unseen.
    Waits,
}

impl Capture {
    pub(super) async fn run(mut self, there: impl Fn() -> bool) {
        let mut tick = time::interval(TICK);
        tick.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let (mut ended, mut all) = (None, false);
        loop {
            let filled = self.fill(all);
            let done = self.options.count.is_some_and(|count| self.file.packets >= count);
            let over = done || all && filled == Filled::Dry;
            self.write_counts(!over);
            if self.send().await.is_err() {
                return;
            }
            if over {
                if let Some(ended) = ended.filter(|_| !done) {
                    let _ = self.sender.send(Err(ended)).await;
                }
                return;
            }
            if filled == Filled::Full {
                continue;
            }
            tokio::select! {
                () = any_ready(&self.taps) => {}
                () = time::sleep(UNSEEN), if filled == Filled::Waits => {}
                () = self.sender.closed() => return,
                _ = tick.tick() => self.write_counts(false),
            }
            if ended.is_none() {
                ended = self.ended(&there);
                if ended.is_some() {
                    // What was received before the end is handed over by the kernel within this time.
                    time::sleep(UNSEEN).await;
                    all = true;
                }
            }
        }
    }

    /// Writes packets until there are no more, or enough for a chunk. `all`: none is waited for.
    fn fill(&mut self, all: bool) -> Filled {
        let Self { taps, options, file, .. } = self;
        let enough = |file: &File| {
            file.bytes.len() >= CHUNK || options.count.is_some_and(|count| file.packets >= count)
        };
        if let [tap] = &mut taps[..] {
            while tap.next_time().is_some() {
                if enough(file) {
                    return Filled::Full;
                }
                tap.take(options, file);
            }
            return Filled::Dry;
        }
        // Several sockets: the oldest packet first, once no older one can be unseen.
        let seen = now_ns().saturating_sub(u64::try_from(UNSEEN.as_nanos()).unwrap_or(u64::MAX));
        loop {
            let oldest =
                taps.iter_mut().enumerate().filter_map(|(number, tap)| Some((tap.next_time()?, number)));
            let Some((time, number)) = oldest.min() else { return Filled::Dry };
            if time > seen && !all {
                return Filled::Waits;
            }
            if enough(file) {
                return Filled::Full;
            }
            taps[number].take(options, file);
        }
    }

    /// Writes what has changed of the counts to the file.
    fn write_counts(&mut self, drops_only: bool) {
        for tap in &mut self.taps {
            tap.count();
            tap.write_counts(drops_only, &mut self.file);
        }
    }

    /// Hands on what is written; waits while the reader is slow.
    async fn send(&mut self) -> Result<(), ()> {
        if self.file.bytes.is_empty() {
            return Ok(());
        }
        let chunk = Chunk {
            pcapng: std::mem::take(&mut self.file.bytes),
            captured: self.file.packets,
            dropped: self.taps.iter_mut().map(Tap::count).sum(),
        };
        meters().packets_captured.inc_by(chunk.captured - self.metered.0);
        meters().packets_dropped.inc_by(chunk.dropped - self.metered.1);
        self.metered = (chunk.captured, chunk.dropped);
        self.sender.send(Ok(chunk)).await.map_err(|_| ())
    }

    fn ended(&mut self, there: &impl Fn() -> bool) -> Option<Ended> {
        let gone = self.taps.iter_mut().filter_map(|tap| tap.is_gone().then(|| tap.label().to_owned()));
        let gone: Vec<_> = gone.collect();
        if gone.len() == self.taps.len() {
            return Some(Ended::InterfacesGone(gone.join(", ")));
        }
        (!there()).then_some(Ended::NodeGone)
    }
}

/// Waits until one of the taps may have packets.
async fn any_ready(taps: &[Tap]) {
    let mut waits: Vec<_> = taps.iter().map(|tap| Box::pin(tap.ready())).collect();
    std::future::poll_fn(move |context| {
        let ready = waits.iter_mut().any(|wait| wait.as_mut().poll(context).is_ready());
        if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}
