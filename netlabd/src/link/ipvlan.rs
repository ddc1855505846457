//! Ipvlans: more addresses behind the MAC address of another interface.

use std::str::FromStr;

use netlab_proto::v1 as proto;
use netlink_packet_route::link::{InfoData, InfoIpVlan, IpVlanFlags, IpVlanMode};

use super::{Attributes, Carrier, LinkKind, Lower, MacFrom, Unknown, parent};
use crate::{
    feature::Feature,
    input::{Path, Sink},
    model::name::{IfName, NameError},
};

/// An ipvlan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ipvlan {
    /// The interface whose MAC address it shares.
    pub lower: Lower<IfName>,
    /// What decides where its packets go.
    pub mode: IpvlanMode,
}

/// Mode of an ipvlan, ip-link(8); all on one interface have the same (`ipvlan_set_port_mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IpvlanMode {
    /// Addresses, as on an Ethernet segment: it asks for neighbours, and hears what is for all.
    #[default]
    L2,
    /// Routes: it asks for no neighbours, and hears nothing that is for all or for groups.
    L3,
    /// The same, and its packets pass netfilter and the routes of the namespace of what it stands on.
    L3s,
}

impl IpvlanMode {
    const ALL: [Self; 3] = [Self::L2, Self::L3, Self::L3s];

    /// The mode's name as ip-link(8) has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::L2 => "l2",
            Self::L3 => "l3",
            Self::L3s => "l3s",
        }
    }

    fn wire(self) -> IpVlanMode {
        match self {
            Self::L2 => IpVlanMode::L2,
            Self::L3 => IpVlanMode::L3,
            Self::L3s => IpVlanMode::L3S,
        }
    }
}

impl FromStr for IpvlanMode {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| NameError("is not an ipvlan mode: l2, l3 or l3s".into()))
    }
}

impl LinkKind for Ipvlan {
    type Message = proto::Ipvlan;

    const KEY: &'static str = "ipvlan";
    const ABOUT: &'static str = "an ipvlan on another interface";
    const ON_HOST: Option<&'static str> =
        Some("an ipvlan on the host would give the lab a place in the host's own network; put it in a node");
    const TAKES_LOWER: bool = true;

    fn examples(lower: &IfName) -> Vec<Self> {
        let on = |lower: Lower<IfName>, mode| Self { lower, mode };
        let here = IpvlanMode::ALL.map(|mode| on(Lower::Here(lower.clone()), mode));
        here.into_iter().chain([on(Lower::Host(lower.clone()), IpvlanMode::L2)]).collect()
    }

    fn read(message: &proto::Ipvlan, path: &Path, sink: &mut Sink) -> Option<Self> {
        let lower = parent::read(&message.parent, &message.dev, path, sink);
        let mode = match message.mode.as_str() {
            "" => Some(IpvlanMode::default()),
            text => sink.parse(&path.field("mode"), text),
        };
        Some(Self { lower: lower?, mode: mode? })
    }

    fn named(message: &proto::Ipvlan) -> Option<Lower<&str>> {
        Some(parent::named(&message.parent, &message.dev))
    }

    fn named_field(message: &proto::Ipvlan) -> &'static str {
        parent::field(&parent::named(&message.parent, &message.dev))
    }

    fn message(&self) -> proto::Ipvlan {
        let (parent, dev) = parent::texts(&self.lower);
        proto::Ipvlan { parent, dev, mode: self.mode.as_str().to_owned() }
    }

    fn lower(&self) -> Option<Lower<&IfName>> {
        Some(self.lower.as_ref())
    }

    fn lower_mut(&mut self) -> Option<&mut IfName> {
        Some(self.lower.name_mut())
    }

    fn lower_field(&self) -> &'static str {
        parent::field(&self.lower)
    }

    fn group(&self) -> Option<(&'static str, &'static str)> {
        Some(("mode", self.mode.as_str()))
    }

    /// It has that of what it stands on, whatever that becomes.
    fn mac(&self) -> MacFrom {
        MacFrom::Kernel
    }

    fn own_mac(&self) -> bool {
        false
    }

    fn arp(&self) -> bool {
        self.mode == IpvlanMode::L2
    }

    fn joins_lower(&self) -> bool {
        self.mode == IpvlanMode::L2
    }

    /// One that is made while what it is on is at work never says so (`netif_stacked_transfer_operstate`).
    fn carrier(&self) -> Carrier {
        Carrier::Always
    }

    fn needs(&self) -> (Feature, &'static str) {
        (Feature::of("CONFIG_IPVLAN"), "")
    }

    fn encode(&self, _: &dyn Fn(&IfName) -> Result<u32, Unknown>) -> Result<Option<InfoData>, Unknown> {
        Ok(Some(InfoData::IpVlan(vec![InfoIpVlan::Mode(self.mode.wire())])))
    }

    fn decode(seen: &Attributes<'_>) -> Option<Self> {
        let Some(InfoData::IpVlan(options)) = seen.data else { return None };
        // One that is private or in VEPA mode no lab file can say.
        let flags = |option: &InfoIpVlan| matches!(option, InfoIpVlan::Flags(flags) if *flags != IpVlanFlags::empty());
        if options.iter().any(flags) {
            return None;
        }
        let has = |mode: &IpvlanMode| options.contains(&InfoIpVlan::Mode(mode.wire()));
        Some(Self { lower: seen.lower.clone()?, mode: IpvlanMode::ALL.into_iter().find(has)? })
    }

    fn command(&self) -> String {
        format!(" mode {}", self.mode.as_str())
    }

    fn way_out(&self, errno: i32) -> Option<String> {
        let lower = self.lower.as_ref().name();
        (errno == libc::EBUSY).then(|| {
            format!(
                "{lower} is a port of a bridge or bond, or has macvlans, which take all that arrives there: name the \
                 bridge, or another interface"
            )
        })
    }
}
