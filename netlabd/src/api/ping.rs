//! Where a ping goes to and comes from, in the words of the API.

use std::{io, net::IpAddr};

use tonic::Status;

use super::status;
use crate::{
    convert,
    model::{Destination, Endpoint, IfName, Lab, Place},
    platform::errno_of,
};

/// The address to send from that a request names, by itself or by an interface of the sender.
///
/// # Errors
/// `INVALID_ARGUMENT` for what is neither, or has no address of the target's IP version.
pub(super) fn source(lab: &Lab, from: &Place, text: &str, target: IpAddr) -> Result<Option<IpAddr>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let invalid = |why: String| status::invalid("source", why);
    if let Ok(Destination::Address(address)) = convert::target(text) {
        if address.is_ipv4() != target.is_ipv4() {
            return Err(invalid(format!("{address} and {target} are of different IP versions")));
        }
        return Ok(Some(address));
    }
    let interface: IfName = text
        .parse()
        .map_err(|_| invalid(format!("{text:?} is neither an address nor an interface of {from}")))?;
    lab.source_at(&Endpoint { place: from.clone(), interface }, target).map(Some).map_err(invalid)
}

/// Whose address it is where the request named a node; empty where it named the address itself.
pub(super) fn at(lab: &Lab, to: &Destination, address: IpAddr) -> String {
    let place = match to {
        Destination::Address(_) => return String::new(),
        Destination::Place(place) | Destination::Endpoint(Endpoint { place, .. }) => place,
    };
    lab.interface_with(place, address).map(|at| at.to_string()).unwrap_or_default()
}

/// Why a ping cannot begin.
pub(super) fn refused(from: &Place, source: Option<IpAddr>, error: &io::Error) -> Status {
    match source {
        Some(source) if error.kind() == io::ErrorKind::AddrNotAvailable => {
            status::invalid("source", format!("{from} has no address {source}"))
        }
        _ => status::by_kernel(error, errno_of(error)),
    }
}
