//! Dummies: interfaces that swallow what is sent to them.

use netlab_proto::v1 as proto;
use netlink_packet_route::link::InfoData;

use super::{Attributes, LinkKind, Unknown};
use crate::{
    feature::Feature,
    input::{Path, Sink},
    model::{mtu::ETHERNET_MTU, name::IfName},
};

/// A dummy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dummy;

impl LinkKind for Dummy {
    type Message = proto::Dummy;

    const KEY: &'static str = "dummy";
    const ABOUT: &'static str = "a dummy interface";
    const ARP: bool = false;

    fn examples(_: &IfName) -> Vec<Self> {
        vec![Self]
    }

    fn read(_: &proto::Dummy, _: &Path, _: &mut Sink) -> Option<Self> {
        Some(Self)
    }

    fn message(&self) -> proto::Dummy {
        proto::Dummy {}
    }

    fn mtu(&self, _: Option<u32>, _: Option<u32>) -> Option<u32> {
        Some(ETHERNET_MTU)
    }

    fn needs(&self) -> (Feature, &'static str) {
        (Feature::of("CONFIG_DUMMY"), "")
    }

    fn encode(&self, _: &dyn Fn(&IfName) -> Result<u32, Unknown>) -> Result<Option<InfoData>, Unknown> {
        Ok(None)
    }

    fn decode(_: &Attributes<'_>) -> Option<Self> {
        Some(Self)
    }
}
