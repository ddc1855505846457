//! Macvlans: second MAC addresses on interfaces of the host, or of the node.

use std::str::FromStr;

use netlab_proto::v1 as proto;
use netlink_packet_route::link::{InfoData, InfoMacVlan, MacVlanMode};

use super::{Attributes, Carrier, LinkKind, Lower, MacFrom, Unknown, parent};
use crate::{
    feature::Feature,
    input::{Path, Sink},
    model::name::{IfName, NameError},
};

/// A macvlan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Macvlan {
    /// The interface that it is on.
    pub lower: Lower<IfName>,
    /// Who may talk to whom.
    pub mode: MacvlanMode,
}

/// Mode of a macvlan, ip-link(8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MacvlanMode {
    /// Macvlans of one parent reach each other directly.
    #[default]
    Bridge,
    /// Macvlans of one parent do not reach each other.
    Private,
    /// All traffic goes out to the switch, which may send it back.
    Vepa,
    /// One macvlan takes the whole parent.
    Passthru,
}

impl MacvlanMode {
    const ALL: [Self; 4] = [Self::Bridge, Self::Private, Self::Vepa, Self::Passthru];

    /// The mode's name as ip-link(8) has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Private => "private",
            Self::Vepa => "vepa",
            Self::Passthru => "passthru",
        }
    }

    fn wire(self) -> MacVlanMode {
        match self {
            Self::Bridge => MacVlanMode::Bridge,
            Self::Private => MacVlanMode::Private,
            Self::Vepa => MacVlanMode::Vepa,
            Self::Passthru => MacVlanMode::Passthrough,
        }
    }
}

impl FromStr for MacvlanMode {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| NameError("is not a macvlan mode: bridge, private, vepa or passthru".into()))
    }
}

impl LinkKind for Macvlan {
    type Message = proto::Macvlan;

    const KEY: &'static str = "macvlan";
    const ABOUT: &'static str = "a macvlan on another interface";
    const ON_HOST: Option<&'static str> =
        Some("a macvlan on the host would give the lab a place in the host's own network; put it in a node");
    const TAKES_LOWER: bool = true;
    /// `macvlan_addr_busy`.
    const UNIQUE_MAC: bool = true;

    fn examples(lower: &IfName) -> Vec<Self> {
        let on = |lower: Lower<IfName>| MacvlanMode::ALL.map(|mode| Self { lower: lower.clone(), mode });
        [on(Lower::Host(lower.clone())), on(Lower::Here(lower.clone()))].concat()
    }

    fn read(message: &proto::Macvlan, path: &Path, sink: &mut Sink) -> Option<Self> {
        let lower = parent::read(&message.parent, &message.dev, path, sink);
        let mode = match message.mode.as_str() {
            "" => Some(MacvlanMode::default()),
            text => sink.parse(&path.field("mode"), text),
        };
        Some(Self { lower: lower?, mode: mode? })
    }

    fn named(message: &proto::Macvlan) -> Option<Lower<&str>> {
        Some(parent::named(&message.parent, &message.dev))
    }

    fn named_field(message: &proto::Macvlan) -> &'static str {
        parent::field(&parent::named(&message.parent, &message.dev))
    }

    fn message(&self) -> proto::Macvlan {
        let (parent, dev) = parent::texts(&self.lower);
        proto::Macvlan { parent, dev, mode: self.mode.as_str().to_owned() }
    }

    fn lower(&self) -> Option<Lower<&IfName>> {
        Some(self.lower.as_ref())
    }

    fn lower_field(&self) -> &'static str {
        parent::field(&self.lower)
    }

    fn lower_mut(&mut self) -> Option<&mut IfName> {
        Some(self.lower.name_mut())
    }

    /// A parent has one passthru macvlan or any number of others (`macvlan_common_newlink`).
    fn alone(&self) -> Option<(&'static str, &'static str)> {
        (self.mode == MacvlanMode::Passthru).then_some(("mode", "passthru"))
    }

    fn mac(&self) -> MacFrom {
        // In mode passthru it has its parent's, and would give the parent another (`macvlan_common_newlink`).
        if self.mode == MacvlanMode::Passthru { MacFrom::Kernel } else { MacFrom::Lab }
    }

    fn joins_lower(&self) -> bool {
        self.mode == MacvlanMode::Bridge
    }

    fn carrier(&self) -> Carrier {
        Carrier::Own
    }

    fn needs(&self) -> (Feature, &'static str) {
        (Feature::of("CONFIG_MACVLAN"), "")
    }

    fn encode(&self, _: &dyn Fn(&IfName) -> Result<u32, Unknown>) -> Result<Option<InfoData>, Unknown> {
        Ok(Some(InfoData::MacVlan(vec![InfoMacVlan::Mode(self.mode.wire())])))
    }

    fn decode(seen: &Attributes<'_>) -> Option<Self> {
        let Some(InfoData::MacVlan(options)) = seen.data else { return None };
        let has = |mode: &MacvlanMode| options.contains(&InfoMacVlan::Mode(mode.wire()));
        Some(Self { lower: seen.lower.clone()?, mode: MacvlanMode::ALL.into_iter().find(has)? })
    }

    fn command(&self) -> String {
        format!(" mode {}", self.mode.as_str())
    }

    fn way_out(&self, errno: i32) -> Option<String> {
        let parent = self.lower.as_ref().name();
        match errno {
            libc::EBUSY => Some(format!(
                "{parent} is a port of a bridge or bond, or has a passthru macvlan, which take all that arrives there: \
                 name the bridge, or another parent"
            )),
            libc::EINVAL => Some(format!(
                "{parent} has a smaller MTU, or a passthru macvlan beside which there can be no other"
            )),
            _ => None,
        }
    }
}
