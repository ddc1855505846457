//! How what is there becomes what is wanted.

use std::fmt;

use netlink_packet_route::link::InfoData;

use super::Kind;

/// How what is there becomes what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// By settings one after the other, none where nothing differs.
    Set(Vec<Setting>),
    /// It has to be made anew.
    Remake,
}

/// One changed setting of an interface, as its kind has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// What the interface is then, such as `running STP`.
    pub words: String,
    /// ip-link(8)'s words for it, after `type KEY`.
    pub command: String,
    /// What the kernel is told.
    pub data: InfoData,
    /// The whole of the kind after it.
    pub then: Kind,
    /// When it is set.
    pub when: When,
}

/// When a setting is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before anything else of the interface.
    First,
    /// The same, and what is a port of it and stays one forwards at once.
    FreesPorts,
    /// Once the VLANs of it and of its ports are those that they will be.
    AfterVlans,
}

impl fmt::Display for Setting {
    /// What the interface is then, such as `running STP`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}
