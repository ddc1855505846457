//! One place to capture at: its socket, its packets, its interfaces in the file.

use std::{io, os::fd::OwnedFd};

use tokio::io::unix::AsyncFd;

use super::{
    Options, Source, pcapng,
    ring::{Packet, Ring},
    socket::{self, ANY, LinkType, OpenError},
};

/// A tap at an interface, or at all of a node.
#[derive(Debug)]
pub(super) struct Tap {
    fd: AsyncFd<OwnedFd>,
    ring: Ring,
    /// What it is called in the file: `node:interface`, or `node` for all.
    label: String,
    all: bool,
    /// The interfaces by index, each with its number in the file; `None`: not shown.
    interfaces: Vec<(u32, Option<u32>)>,
    counts: pcapng::Counts,
    /// The counts as last written to the file.
    written: pcapng::Counts,
    gone: bool,
}

impl Tap {
    /// Opens the socket, and describes its interfaces in the file.
    pub(super) fn open(
        source: &Source,
        options: &Options,
        size: usize,
        file: &mut File,
    ) -> Result<Self, OpenError> {
        let opened = socket::open(source, options, size)?;
        let failed = |error| OpenError::Io { label: source.label.clone(), error };
        let all = source.interface == ANY;
        let mut tap = Self {
            fd: socket::watch(opened.fd).map_err(failed)?,
            ring: opened.ring,
            label: source.label.clone(),
            all,
            interfaces: Vec::new(),
            counts: pcapng::Counts::default(),
            written: pcapng::Counts::default(),
            gone: false,
        };
        for (index, name, link) in opened.interfaces {
            tap.describe(index, &name, Some(link), options, file);
        }
        Ok(tap)
    }

    /// What it is called.
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// Gives an interface the file's next number.
    fn describe(
        &mut self,
        index: u32,
        name: &str,
        link: Option<LinkType>,
        options: &Options,
        file: &mut File,
    ) {
        // A filter for Ethernet lets anything of other packets pass.
        let shown = link
            .filter(|link| !self.all || *link == LinkType::Ethernet || options.filter.ethernet.is_empty());
        let number = shown.map(|link| {
            let node = self.label.strip_suffix(ANY).unwrap_or(&self.label);
            let label = if self.all { format!("{node}{name}") } else { self.label.clone() };
            file.interface(&label, link, options)
        });
        self.interfaces.push((index, number));
    }

    /// Waits until there may be packets, or an error.
    pub(super) async fn ready(&self) -> io::Result<()> {
        // Cleared before the ring is looked at: what comes after the look makes it ready again.
        self.fd.readable().await.map(|mut guard| guard.clear_ready())
    }

    /// When the next packet came, if there is one.
    pub(super) fn next_time(&mut self) -> Option<u64> {
        self.ring.peek().map(|packet| packet.time_ns)
    }

    /// Writes the next packet to the file; whether one was written.
    pub(super) fn take(&mut self, options: &Options, file: &mut File) -> bool {
        let Some(index) = self.ring.peek().map(|packet| packet.index) else { return false };
        if !self.interfaces.iter().any(|(known, _)| *known == index) {
            // Only where all are listened to: an interface that came later.
            let hardware = self.ring.peek().map_or(0, |packet| packet.hardware);
            let name = socket::name(self.fd.get_ref(), index).unwrap_or_else(|| format!("if{index}"));
            self.describe(index, &name, LinkType::of(hardware), options, file);
        }
        let number =
            self.interfaces.iter().find(|(known, _)| *known == index).and_then(|(_, number)| *number);
        if let (Some(number), Some(packet)) = (number, self.ring.peek()) {
            file.packet(number, &packet, options);
        }
        self.ring.advance();
        number.is_some()
    }

    /// Asks the kernel for its counts; the number of packets dropped so far.
    pub(super) fn count(&mut self) -> u64 {
        let (received, dropped) = socket::statistics(self.fd.get_ref());
        self.counts.received += received;
        self.counts.dropped += dropped;
        self.counts.dropped
    }

    /// Writes the counts to the file if they changed; `drops_only`: if packets were dropped. The kernel
    /// counts for a socket: where it listens to all interfaces, the counts stand with the first.
    pub(super) fn write_counts(&mut self, drops_only: bool, file: &mut File) {
        let changed = if drops_only {
            self.counts.dropped != self.written.dropped
        } else {
            self.counts != self.written
        };
        let Some(number) = self.interfaces.iter().find_map(|(_, number)| *number).filter(|_| changed) else {
            return;
        };
        file.statistics(number, self.counts);
        self.written = self.counts;
    }

    /// Whether the interface is gone for good; one that is down comes back.
    pub(super) fn is_gone(&mut self) -> bool {
        let fd = self.fd.get_ref();
        self.gone = self.gone
            || !self.all && self.interfaces.iter().all(|(index, _)| socket::name(fd, *index).is_none());
        self.gone
    }
}

/// The file as written so far and not yet handed on.
#[derive(Debug)]
pub(super) struct File {
    /// Its next bytes.
    pub(super) bytes: Vec<u8>,
    /// Packets in it so far.
    pub(super) packets: u64,
    interfaces: u32,
    start_ns: u64,
}

impl File {
    /// A file with its head.
    pub(super) fn new(now_ns: u64) -> Self {
        Self { bytes: pcapng::head(), packets: 0, interfaces: 0, start_ns: now_ns }
    }

    fn interface(&mut self, label: &str, link: LinkType, options: &Options) -> u32 {
        let (length, filter) = (options.snapshot_length, options.filter.expression.as_str());
        pcapng::interface(&mut self.bytes, label, link, length, filter);
        self.interfaces += 1;
        self.interfaces - 1
    }

    fn packet(&mut self, interface: u32, packet: &Packet<'_>, options: &Options) {
        pcapng::packet(&mut self.bytes, interface, packet, options.snapshot_length);
        self.packets += 1;
    }

    fn statistics(&mut self, interface: u32, counts: pcapng::Counts) {
        pcapng::statistics(&mut self.bytes, interface, self.start_ns, super::now_ns(), counts);
    }
}
