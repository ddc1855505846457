//! How the lines of a lab are typed.

use std::borrow::Cow;

use super::Op;
use crate::{
    model::{Endpoint, LINK_GROUP, LabName, Place},
    shell::{is_no_keyword, word},
};

/// Where and how the lines of one lab are typed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hand<'a> {
    /// The lab.
    pub(super) lab: &'a LabName,
    /// With all that netlabd does so that it knows what is its own; without: as people type it.
    pub(super) exact: bool,
}

impl Hand<'_> {
    /// The line for an operation.
    pub(super) fn line(self, op: &Op) -> String {
        op.item.get().command(op.verb, self)
    }

    /// ip(8) in a place.
    pub(super) fn ip(self, place: &Place) -> String {
        self.tool("ip", place)
    }

    /// ip(8) in a place, for what it does not know the family of by itself.
    pub(super) fn ip_of(self, place: &Place, ipv6: bool) -> String {
        self.tool(if ipv6 { "ip -6" } else { "ip" }, place)
    }

    /// ip(8) in a place, for what it knows of MPLS.
    pub(super) fn ip_of_labels(self, place: &Place) -> String {
        self.tool("ip -f mpls", place)
    }

    /// bridge(8) in a place.
    pub(super) fn bridge(self, place: &Place) -> String {
        self.tool("bridge", place)
    }

    /// tc(8) in a place.
    pub(super) fn tc(self, place: &Place) -> String {
        self.tool("tc", place)
    }

    fn tool(self, tool: &str, place: &Place) -> String {
        match place {
            Place::Host => tool.to_owned(),
            Place::Node(node) => format!("{tool} -n {}.{node}", self.lab),
        }
    }

    /// What runs another program in a place, with a space behind it.
    pub(super) fn exec(self, place: &Place) -> String {
        match place {
            Place::Host => String::new(),
            Place::Node(node) => format!("ip netns exec {}.{node} ", self.lab),
        }
    }

    /// Where an interface goes that is made from the host, with a space before it.
    pub(super) fn netns(self, place: &Place) -> String {
        match place {
            Place::Host => String::new(),
            Place::Node(node) => format!(" netns {}.{node}", self.lab),
        }
    }

    /// What every interface is made with.
    pub(super) fn group(self) -> String {
        if self.exact { format!(" group {LINK_GROUP}") } else { String::new() }
    }

    /// On the host, the line that names the lab.
    pub(super) fn alias(self, at: &Endpoint) -> Option<String> {
        let line = || format!("ip link set {} alias netlab:{}", dev(at.interface.as_str()), self.lab);
        (self.exact && at.place == Place::Host).then(line)
    }
}

/// An interface's name where nothing else can stand.
pub(super) fn name(at: &Endpoint) -> Cow<'_, str> {
    word(at.interface.as_str())
}

/// An interface's name where ip(8) takes keywords too.
pub(super) fn dev(name: &str) -> Cow<'_, str> {
    after("dev", name)
}

/// Of how many segments what an interface sends may be, with a space before it.
pub(super) fn segments(count: Option<u32>) -> String {
    count.map(|count| format!(" gso_max_segs {count}")).unwrap_or_default()
}

/// The same of an interface that is to be made.
pub(super) fn new(name: &str) -> Cow<'_, str> {
    after("name", name)
}

fn after<'a>(keyword: &str, name: &'a str) -> Cow<'a, str> {
    if is_no_keyword(name) { Cow::Borrowed(name) } else { format!("{keyword} {}", word(name)).into() }
}
