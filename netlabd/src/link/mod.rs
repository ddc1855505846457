//! Kinds of interfaces: one file says all of one kind.
//!
//! [`LinkKind`] lists what there is to say of a kind. [`Kind`] is made of the files: the desired and the observed state,
//! the planner, the kernel and its fake share it, and ask it instead of matching on its variants. A new kind is a file
//! here, a word in the list at the end of this one, and a message in the API.

mod attributes;
mod bond;
mod bond_mode;
mod bond_time;
mod bridge;
mod bridge_time;
mod change;
mod dummy;
mod geneve;
mod gre;
mod gretap;
mod ip6gre;
mod ip6tnl;
mod ip_tunnel;
mod ipip;
mod ipvlan;
mod kind;
mod lower;
mod macvlan;
mod parent;
mod ports;
mod sit;
#[cfg(test)]
mod tests;
mod tunnel;
mod vlan;
mod vrf;
mod vxlan;
mod wireguard;

use std::{collections::BTreeSet, net::IpAddr};

use netlab_proto::v1::interface::Kind as Message;
use netlink_packet_route::link::{InfoData, InfoKind};

use crate::{
    feature::Feature,
    input::{Path, Sink},
    model::name::IfName,
};

pub use attributes::{Attributes, Unknown};
pub use bond::Bond;
pub use bond_mode::{BondMode, HashPolicy, LacpRate};
pub use bond_time::{BondTime, Watch};
pub(crate) use bridge::groups;
pub use bridge::{Bridge, Times};
pub use bridge_time::BridgeTime;
pub use change::{Change, Setting, When};
pub use dummy::Dummy;
pub use geneve::Geneve;
pub use gre::Gre;
pub use gretap::Gretap;
pub use ip_tunnel::IpTunnel;
pub use ip6gre::Ip6gre;
pub use ip6tnl::Ip6tnl;
pub use ipip::Ipip;
pub use ipvlan::{Ipvlan, IpvlanMode};
pub use kind::{Carrier, LinkKind, LinkLocalFrom, MacFrom, UniqueKey};
pub use lower::{Lower, Named};
pub use macvlan::{Macvlan, MacvlanMode};
pub use ports::{Membership, Ports};
pub use sit::Sit;
pub use tunnel::Tunnel;
pub use vlan::Vlan;
pub use vrf::Vrf;
pub use vxlan::Vxlan;
pub use wireguard::{KeySource, PeerKey, Wireguard};

/// Makes [`Kind`] of types that are a [`LinkKind`] each.
macro_rules! kinds {
    ($($name:ident),+ $(,)?) => {
        /// What an interface is that is neither `lo` nor the end of a link.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Kind {
            $(#[doc = concat!("See [`", stringify!($name), "`](struct@", stringify!($name), ").")] $name($name)),+
        }

        $(impl From<$name> for Kind {
            fn from(kind: $name) -> Self {
                Self::$name(kind)
            }
        })+

        impl Kind {
            /// The keys of all kinds.
            pub const KEYS: &'static [&'static str] = &[$($name::KEY),+];

            /// Examples of all kinds, what they stand on being `lower`.
            pub fn examples(lower: &IfName) -> Vec<Self> {
                let mut all = Vec::new();
                $(all.extend($name::examples(lower).into_iter().map(Self::$name));)+
                all
            }

            /// The key of a kind in the lab file.
            pub fn key_of(message: &Message) -> &'static str {
                match message { $(Message::$name(_) => $name::KEY),+ }
            }

            /// Reads a kind; `path` is that of the interface.
            pub fn read(message: &Message, on_host: bool, path: &Path, sink: &mut Sink) -> Option<Self> {
                let path = path.field(Self::key_of(message));
                let refused = match message { $(Message::$name(_) => $name::ON_HOST),+ };
                if let Some(why) = refused.filter(|_| on_host) {
                    sink.add(&path, why);
                    return None;
                }
                match message { $(Message::$name(message) => $name::read(message, &path, sink).map(Self::$name)),+ }
            }

            /// What a message names to stand on, be the rest of it at fault; `None` where that is no name.
            pub fn named(message: &Message) -> Option<Named> {
                match message {
                    $(Message::$name(message) => {
                        let (key, field) = ($name::KEY, $name::named_field(message));
                        let (takes, frames) = ($name::TAKES_LOWER, $name::LINKED);
                        let foreign = $name::FOREIGN_LOWER;
                        let lower = match $name::named(message)? {
                            Lower::Here(name) => Lower::Here(name.parse().ok()?),
                            Lower::Host(name) => Lower::Host(name.parse().ok()?),
                        };
                        Some(Named { key, field, lower, takes, frames, foreign })
                    })+
                }
            }

            /// [`LinkKind::remotes`]; `path` is that of the interface.
            pub fn remotes(message: &Message, path: &Path, sink: &mut Sink) -> BTreeSet<IpAddr> {
                let path = path.field(Self::key_of(message));
                match message { $(Message::$name(message) => $name::remotes(message, &path, sink)),+ }
            }

            /// The kind as the API has it.
            pub fn message(&self) -> Message {
                match self { $(Self::$name(kind) => Message::$name(kind.message())),+ }
            }

            /// What the kernel shows of an interface as a kind; `None` where it is no kind of ours, or is set up as the
            /// lab file has no words for.
            pub fn decode(kind: &InfoKind, seen: &Attributes<'_>) -> Option<Self> {
                let key = kind.to_string();
                $(if key == $name::KEY {
                    return $name::decode(seen).map(Self::$name);
                })+
                None
            }

            /// How what is there differs from this.
            pub fn change(&self, seen: &Self) -> Change {
                match (self, seen) {
                    $((Self::$name(want), Self::$name(seen)) => want.change(seen),)+
                    _ => Change::Remake,
                }
            }

            /// Whether both are the same kind, whatever their settings.
            pub fn is_same(&self, other: &Self) -> bool {
                self.key() == other.key()
            }

            kinds! { @ask $($name),+;
                /// [`LinkKind::KEY`].
                key() -> &'static str,
                /// [`LinkKind::ABOUT`].
                about() -> &'static str,
                /// [`LinkKind::LOWER_FIELD`].
                lower_field() -> &'static str,
                /// [`LinkKind::TAKES_LOWER`].
                takes_lower() -> bool,
                /// [`LinkKind::LINKED`].
                linked() -> bool,
                /// [`LinkKind::UNIQUE_MAC`].
                unique_mac() -> bool,
                /// [`LinkKind::MTU_OF_LOWER`].
                mtu_of_lower() -> bool,
                /// [`LinkKind::ETHERNET`].
                ethernet() -> bool,
                /// [`LinkKind::ARP`].
                arp() -> bool,
                /// [`LinkKind::lower`].
                lower() -> Option<Lower<&IfName>>,
                /// [`LinkKind::identity`].
                identity() -> Option<UniqueKey>,
                /// [`LinkKind::group`].
                group() -> Option<(&'static str, &'static str)>,
                /// [`LinkKind::own_mac`].
                own_mac() -> bool,
                /// [`LinkKind::alone`].
                alone() -> Option<(&'static str, &'static str)>,
                /// [`LinkKind::mac`].
                mac() -> MacFrom,
                /// [`LinkKind::link_local`].
                link_local() -> LinkLocalFrom,
                /// [`LinkKind::overhead`].
                overhead() -> u32,
                /// [`LinkKind::least_mtu`].
                least_mtu() -> Option<u32>,
                /// [`LinkKind::ports`].
                ports() -> Ports,
                /// [`LinkKind::primary`].
                primary() -> Option<&IfName>,
                /// [`LinkKind::has_fdb`].
                has_fdb() -> bool,
                /// [`LinkKind::joins_lower`].
                joins_lower() -> bool,
                /// [`LinkKind::carrier`].
                carrier() -> Carrier,
                /// [`LinkKind::tunnel`].
                tunnel() -> Option<Tunnel>,
                /// [`LinkKind::far_end`].
                far_end() -> Option<IpAddr>,
                /// [`LinkKind::vlan`].
                vlan() -> Option<crate::model::vlan_id::VlanId>,
                /// [`LinkKind::vlan_protocol`].
                vlan_protocol() -> crate::model::VlanProtocol,
                /// [`LinkKind::needs`].
                needs() -> (Feature, &'static str),
                /// [`LinkKind::command`].
                command() -> String,
                /// [`LinkKind::untold`].
                untold() -> String,
            }

            /// [`LinkKind::lower_mut`].
            pub fn lower_mut(&mut self) -> Option<&mut IfName> {
                match self { $(Self::$name(kind) => kind.lower_mut()),+ }
            }

            /// [`LinkKind::carries`].
            pub fn carries(&self, address: IpAddr) -> bool {
                match self { $(Self::$name(kind) => kind.carries(address)),+ }
            }

            /// [`LinkKind::mtu`].
            pub fn mtu(&self, lower: Option<u32>, ports: Option<u32>) -> Option<u32> {
                match self { $(Self::$name(kind) => kind.mtu(lower, ports)),+ }
            }

            /// [`LinkKind::far_end_path`].
            pub fn far_end_path(&self, path: &Path) -> Path {
                match self { $(Self::$name(kind) => kind.far_end_path(path)),+ }
            }

            /// [`LinkKind::encode`].
            pub fn encode(&self, index: &dyn Fn(&IfName) -> Result<u32, Unknown>) -> Result<Option<InfoData>, Unknown> {
                match self { $(Self::$name(kind) => kind.encode(index)),+ }
            }

            /// [`LinkKind::way_out`].
            pub fn way_out(&self, errno: i32) -> Option<String> {
                match self { $(Self::$name(kind) => kind.way_out(errno)),+ }
            }
        }
    };
    (@ask $($name:ident),+; $($(#[$doc:meta])* $method:ident() -> $answer:ty,)+) => {
        kinds! { @each ($($name),+) $($(#[$doc])* $method() -> $answer,)+ }
    };
    (@each $names:tt $($(#[$doc:meta])* $method:ident() -> $answer:ty,)+) => {
        $(kinds! { @one $names $(#[$doc])* $method() -> $answer })+
    };
    (@one ($($name:ident),+) $(#[$doc:meta])* $method:ident() -> $answer:ty) => {
        $(#[$doc])*
        pub fn $method(&self) -> $answer {
            match self { $(Self::$name(kind) => kind.$method()),+ }
        }
    };
}

kinds!(
    Bridge, Vlan, Vxlan, Macvlan, Dummy, Geneve, Gre, Gretap, Ipip, Sit, Ip6gre, Ip6tnl, Ipvlan, Vrf, Bond,
    Wireguard
);

impl Kind {
    /// The kernel's name for it (`IFLA_INFO_KIND`).
    pub fn info(&self) -> InfoKind {
        InfoKind::from(self.key())
    }

    /// What one is called in a message that carries no Ethernet frames.
    pub fn noun(&self) -> String {
        if self.ports().vrf().is_some() { "a VRF".to_owned() } else { format!("a {} tunnel", self.key()) }
    }

    /// What WireGuard has beside the interface.
    pub fn wireguard(&self) -> Option<&Wireguard> {
        if let Self::Wireguard(wireguard) = self { Some(wireguard) } else { None }
    }

    /// The interface of the same namespace that it stands on.
    pub fn lower_here(&self) -> Option<&IfName> {
        match self.lower()? {
            Lower::Here(name) => Some(name),
            Lower::Host(_) => None,
        }
    }

    /// The interface of the host that it stands on: it is made from there.
    pub fn lower_on_host(&self) -> Option<&IfName> {
        match self.lower()? {
            Lower::Host(name) => Some(name),
            Lower::Here(_) => None,
        }
    }

    /// The kernel features that kinds need, in the order of the kinds.
    pub fn features() -> Vec<Feature> {
        let mut all = Vec::new();
        for kind in Self::examples(&IfName::loopback()) {
            let (feature, _) = kind.needs();
            if !all.contains(&feature) {
                all.push(feature);
            }
        }
        all
    }
}
