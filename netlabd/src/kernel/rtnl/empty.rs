//! Deletion of all our interfaces of a namespace.

use std::io;

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkAttribute, LinkMessage},
};

use super::{LINK_GROUP, NetlinkError, RouteSocket};

/// Deletes what netlabd made in the namespaces that the socket's own knows by `ids`, each in one
/// step; an identifier that means nothing any more is passed over.
pub(in crate::kernel) fn empty_namespaces(
    socket: &mut RouteSocket,
    ids: impl Iterator<Item = i32>,
) -> io::Result<()> {
    let request = |id| {
        let mut message = LinkMessage::default();
        message.attributes = vec![LinkAttribute::IfNetnsId(id), LinkAttribute::Group(LINK_GROUP)];
        (RouteNetlinkMessage::DelLink(message), 0)
    };
    let gone = |refusal: &NetlinkError| matches!(refusal.errno, libc::EINVAL | libc::ENODEV);
    let answers = socket.batch(ids.map(request).collect())?;
    match answers.into_iter().filter_map(Result::err).find(|refusal| !gone(refusal)) {
        Some(refusal) => Err(io::Error::from_raw_os_error(refusal.errno)),
        None => Ok(()),
    }
}
