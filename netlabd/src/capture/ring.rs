//! The memory that a packet socket shares with the kernel: `TPACKET_V3` of packet(7), described in the
//! kernel's `Documentation/networking/packet_mmap.rst`.
//!
//! The kernel fills blocks with packets and hands them over one by one, full or after a while; a block
//! that was read is handed back. Where the kernel finds no free block it drops, and counts.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    ptr::NonNull,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::sys::sockopt::set;

/// Bytes of a block, which is also the longest packet kept whole; receive offload glues many into one.
const BLOCK: usize = 256 << 10;
/// Where `block_status` stands in a block: `struct tpacket_block_desc`.
const STATUS: usize = 8;
/// `TPACKET_V3` of `enum tpacket_versions`.
const VERSION_3: i32 = 2;

/// How long the kernel keeps a block that is not full, in milliseconds; twice that at the most.
pub(super) const RETIRE_MS: u32 = 20;

/// One packet in a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet<'a> {
    /// When it came, in nanoseconds since 1970.
    pub(super) time_ns: u64,
    /// The 802.1Q or 802.1ad tag that the kernel took out.
    pub(super) tag: Option<[u8; 4]>,
    /// What is kept of it.
    pub(super) bytes: &'a [u8],
    /// How long it was without the tag.
    pub(super) length: u32,
    /// Index of the interface.
    pub(super) index: u32,
    /// The interface's hardware type, `ARPHRD_*`.
    pub(super) hardware: u16,
}

/// The shared memory of a socket, and how far it has been read.
#[derive(Debug)]
pub(super) struct Ring {
    base: NonNull<u8>,
    blocks: usize,
    /// The block to read next.
    block: usize,
    /// Packets of it that were read.
    read: u32,
    /// Where its next packet begins; 0 before the first.
    offset: usize,
}

// SAFETY: the memory is this value's own until it is dropped; nothing in it is tied to a thread.
#[expect(unsafe_code, reason = "memory that the kernel writes")]
unsafe impl Send for Ring {}
// SAFETY: through a shared reference it is only read; the status of a block is atomic.
#[expect(unsafe_code, reason = "memory that the kernel writes")]
unsafe impl Sync for Ring {}

impl Ring {
    /// Gives a socket a ring of about `size` bytes.
    #[expect(unsafe_code, reason = "memory that the kernel writes")]
    pub(super) fn new(fd: &OwnedFd, size: usize) -> io::Result<Self> {
        set(fd, (libc::SOL_PACKET, libc::PACKET_VERSION), &VERSION_3)?;
        let blocks = (size / BLOCK).max(4);
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let request = libc::tpacket_req3 {
            tp_block_size: number(BLOCK),
            tp_block_nr: number(blocks),
            // Packets take as much room as they need; the kernel only wants these to fit together.
            tp_frame_size: 2_048,
            tp_frame_nr: number(BLOCK / 2_048 * blocks),
            tp_retire_blk_tov: RETIRE_MS,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        set(fd, (libc::SOL_PACKET, libc::PACKET_RX_RING), &request)?;
        // SAFETY: a new mapping wherever the kernel likes, of the ring just made.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                BLOCK * blocks,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                0,
            )
        };
        let start = NonNull::new(base.cast::<u8>()).filter(|_| base != libc::MAP_FAILED);
        let start = start.ok_or_else(io::Error::last_os_error)?;
        let ring = Self { base: start, blocks, block: 0, read: 0, offset: 0 };
        // No copy for a child, which would hold on to it until it runs its program. User-mode Linux
        // 6.12 damages its memory when such a copy is taken away.
        // SAFETY: the range is the mapping just made.
        let kept = unsafe { libc::madvise(base, BLOCK * blocks, libc::MADV_DONTFORK) };
        if kept == 0 { Ok(ring) } else { Err(io::Error::last_os_error()) }
    }

    /// The packet to be read next; `None` if there is none yet. Hands back the blocks that are read.
    pub(super) fn peek(&mut self) -> Option<Packet<'_>> {
        for _ in 0..self.blocks {
            if self.status().load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
                return None;
            }
            let bytes = self.bytes();
            let packets = u32_at(bytes, 12).unwrap_or_default();
            let offset = if self.offset == 0 { u32_at(bytes, 16)? as usize } else { self.offset };
            if self.read < packets && packet(bytes, offset).is_some() {
                self.offset = offset;
                return packet(self.bytes(), offset);
            }
            self.status().store(libc::TP_STATUS_KERNEL, Ordering::Release);
            (self.block, self.read, self.offset) = ((self.block + 1) % self.blocks, 0, 0);
        }
        None
    }

    /// Counts the packet that `peek` gave as read.
    pub(super) fn advance(&mut self) {
        let next = u32_at(self.bytes(), self.offset).unwrap_or_default() as usize;
        self.read = if next == 0 { u32::MAX } else { self.read + 1 };
        self.offset += next;
    }

    #[expect(unsafe_code, reason = "memory that the kernel writes")]
    fn status(&self) -> &AtomicU32 {
        // SAFETY: the block is within the mapping, and its status aligned: blocks begin at pages.
        unsafe { AtomicU32::from_ptr(self.base.as_ptr().add(self.block * BLOCK + STATUS).cast()) }
    }

    /// The block to read next. Only while it is ours.
    #[expect(unsafe_code, reason = "memory that the kernel writes")]
    fn bytes(&self) -> &[u8] {
        // SAFETY: the block is within the mapping, and the kernel does not write it until handed back.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(self.block * BLOCK), BLOCK) }
    }
}

impl Drop for Ring {
    #[expect(unsafe_code, reason = "memory that the kernel writes")]
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own and nobody looks at it any more.
        unsafe { libc::munmap(self.base.as_ptr().cast(), BLOCK * self.blocks) };
    }
}

/// A packet, by the layout of `struct tpacket3_hdr` and, behind it, `struct sockaddr_ll`.
fn packet(block: &[u8], offset: usize) -> Option<Packet<'_>> {
    let field = |at: usize| u32_at(block, offset + at);
    let short = |at: usize| Some(u16::from_ne_bytes(block.get(offset + at..)?.first_chunk().copied()?));
    let (seconds, nanoseconds, kept, length, status) =
        (field(4)?, field(8)?, field(12)?, field(16)?, field(20)?);
    let start = offset + usize::from(short(24)?);
    let bytes = block.get(start..start.checked_add(kept as usize)?)?;
    let tag = (status & libc::TP_STATUS_VLAN_VALID != 0).then(|| {
        let known = status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
        let kind = short(36).filter(|_| known).unwrap_or(0x8100);
        let [high, low] = kind.to_be_bytes();
        // Of the 32 bits the lower 16 are the tag.
        let [.., c, d] = field(32).unwrap_or_default().to_be_bytes();
        [high, low, c, d]
    });
    Some(Packet {
        time_ns: u64::from(seconds) * 1_000_000_000 + u64::from(nanoseconds),
        tag,
        bytes,
        length,
        // `sll_ifindex` and `sll_hatype`.
        index: field(48 + 4)?,
        hardware: short(48 + 8)?,
    })
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_as_the_kernel_writes_it() {
        let mut block = vec![0; 128];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        for (at, value) in [(4, 5_u32), (8, 6), (12, 3), (16, 60), (20, 0x50), (32, 100), (52, 9)] {
            put(at, &value.to_ne_bytes());
        }
        for (at, value) in [(24, 80_u16), (36, 0x88a8), (56, 1)] {
            put(at, &value.to_ne_bytes());
        }
        put(80, b"abc");
        let packet = packet(&block, 0).unwrap();
        assert_eq!((packet.time_ns, packet.length, packet.bytes), (5_000_000_006, 60, &b"abc"[..]));
        assert_eq!(packet.tag, Some([0x88, 0xa8, 0, 100]));
        assert_eq!((packet.index, packet.hardware), (9, 1));
    }

    #[test]
    fn a_packet_outside_its_block_is_none() {
        assert!(packet(&[0; 40], 0).is_none());
        let mut block = vec![0xff; 128];
        block[24] = 80;
        assert!(packet(&block, 0).is_none());
        assert!(packet(&block, 127).is_none());
    }
}
