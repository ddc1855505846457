//! The map in which a NAT type keeps who is behind which port.

use std::fmt;

use crate::model::Opens;

/// A map from the port outside, and where only some are let in the address of the sender, to the address and port inside;
/// its elements come and go with what is sent. A node has one at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mappings(pub Opens);

impl Mappings {
    /// Its name.
    pub const NAME: &'static str = "mappings";
    /// The chain of the rules that fill it.
    pub const CHAIN: &'static str = "mappings";
    /// Most elements: as many as there are ports.
    pub const SIZE: u32 = 65_535;
    /// Seconds for which an element stays when nothing is sent (RFC 4787, REQ-5).
    pub const TIMEOUT: u32 = 300;

    /// What stands between the braces of the map, for nft(8).
    pub fn declaration(self) -> String {
        let remote = self.with_remote(" . ipv4_addr");
        let (size, timeout) = (Self::SIZE, Self::TIMEOUT / 60);
        format!(
            "type inet_service{remote} : ipv4_addr . inet_service; size {size}; flags dynamic,timeout; timeout {timeout}m;"
        )
    }

    /// How packets that come in are looked up.
    pub fn lookup(self) -> String {
        format!("udp dport{} map @{}", self.with_remote(" . ip saddr"), Self::NAME)
    }

    /// How packets that go out are noted.
    pub fn update(self) -> String {
        let remote = self.with_remote(" . ip daddr");
        let inside = "ct original ip saddr . ct original proto-src";
        format!("update @{} {{ udp sport{remote} : {inside} }}", Self::NAME)
    }

    fn with_remote(self, text: &str) -> &str {
        match self.0 {
            Opens::ToAll => "",
            Opens::ToAddresses => text,
        }
    }
}

impl fmt::Display for Mappings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAME)
    }
}
