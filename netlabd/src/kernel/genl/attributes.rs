//! Attributes of messages as bytes (linux/netlink.h).

/// `struct nlattr`.
const HEADER: usize = 4;
/// `NLA_F_NESTED`.
const NESTED: u16 = 1 << 15;

/// Attributes one after the other.
#[derive(Debug, Default)]
pub(super) struct Attributes(Vec<u8>);

impl Attributes {
    /// Adds one; a value is shorter than 64 KiB.
    pub(super) fn put(&mut self, kind: u16, value: &[u8]) {
        let start = self.begin(kind);
        self.0.extend(value);
        self.end(start);
    }

    /// Adds a text, which ends with a NUL.
    pub(super) fn put_text(&mut self, kind: u16, text: &str) {
        let start = self.begin(kind);
        self.0.extend(text.as_bytes());
        self.0.push(0);
        self.end(start);
    }

    /// Adds one that holds others.
    pub(super) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.begin(kind | NESTED);
        fill(self);
        self.end(start);
    }

    /// All of them.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn begin(&mut self, kind: u16) -> usize {
        let start = self.0.len();
        self.0.extend([0; 2]);
        self.0.extend(kind.to_ne_bytes());
        start
    }

    fn end(&mut self, start: usize) {
        let length = self.0.len() - start;
        debug_assert!(length >= HEADER);
        let length = u16::try_from(length).unwrap_or(u16::MAX);
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }
}
