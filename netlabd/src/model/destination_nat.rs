//! Destination translation of addresses and ports.

use std::fmt;

use ipnet::IpNet;

use super::{AddressRange, IfName, PortForward, PortRange, Protocol};

/// The destination becomes one of these addresses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DestinationNat {
    /// Only packets that arrive through this interface.
    pub in_interface: Option<IfName>,
    /// Only packets to this range, of the family of `to`; without it and an interface, those to a local address.
    pub destination: Option<IpNet>,
    /// Only packets of this protocol.
    pub protocol: Option<Protocol>,
    /// Only packets to these ports; there with a protocol alone.
    pub ports: Option<PortRange>,
    /// The addresses to choose from.
    pub to: AddressRange,
    /// What the port becomes; there with a protocol alone. Of several, as many as `ports` has.
    pub to_ports: Option<PortRange>,
}

impl DestinationNat {
    /// Whether only packets to a local address are asked for.
    pub fn is_local(&self) -> bool {
        self.in_interface.is_none() && self.destination.is_none()
    }

    /// The ports before and after of each rule of nftables that it takes: one, or where a range moves one for each port,
    /// since the kernel would choose among them.
    pub fn ports(&self) -> Vec<(Option<PortRange>, Option<PortRange>)> {
        match (self.ports, self.to_ports) {
            (Some(from), Some(to)) if from == to && from.is_several() => vec![(Some(from), None)],
            (Some(from), Some(to)) if to.is_several() => {
                let one = |port| Some(PortRange::one(port));
                (from.first()..=from.last())
                    .zip(to.first()..=to.last())
                    .map(|(a, b)| (one(a), one(b)))
                    .collect()
            }
            ports => vec![ports],
        }
    }
}

impl From<&PortForward> for DestinationNat {
    fn from(forward: &PortForward) -> Self {
        Self {
            in_interface: forward.in_interface.clone(),
            destination: None,
            protocol: Some(forward.protocol),
            ports: Some(PortRange::one(forward.port)),
            to: AddressRange::one(forward.to.ip()),
            to_ports: Some(PortRange::one(forward.to.port())),
        }
    }
}

impl fmt::Display for DestinationNat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dnat")?;
        if let Some(destination) = self.destination {
            write!(f, " destination {destination}")?;
        }
        if let Some(protocol) = self.protocol {
            write!(f, " {}", protocol.as_str())?;
        }
        if let Some(ports) = self.ports {
            write!(f, " port {ports}")?;
        }
        write!(f, " to {}", self.to)?;
        if let Some(ports) = self.to_ports {
            write!(f, " port {ports}")?;
        }
        if let Some(input) = &self.in_interface {
            write!(f, " in {input}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(from: &str, to: &str) -> usize {
        let range = |text: &str| text.parse().ok();
        let nat = DestinationNat {
            in_interface: None,
            destination: None,
            protocol: Some(Protocol::Tcp),
            ports: range(from),
            to: AddressRange::one([192, 0, 2, 1].into()),
            to_ports: range(to),
        };
        nat.ports().len()
    }

    #[test]
    fn only_a_range_that_moves_takes_more_than_one_rule() {
        assert_eq!(ports("8000-8010", "9000-9010"), 11);
        assert_eq!(ports("65526-65535", "1-10"), 10);
        for (from, to) in
            [("8000-8010", "80"), ("8000-8010", "8000-8010"), ("80", "81"), ("80", ""), ("", "")]
        {
            assert_eq!(ports(from, to), 1, "{from} {to}");
        }
    }
}
