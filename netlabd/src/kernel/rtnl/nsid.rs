//! Identifiers by which a network namespace knows others.

use std::{
    collections::BTreeSet,
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

use netlink_packet_route::{
    RouteNetlinkMessage,
    nsid::{NsidAttribute, NsidMessage},
};

use super::{RouteSocket, observe::Dump};

/// The identifier by which the socket's namespace knows another one; gives it one if need be.
pub(in crate::kernel) fn namespace_id(
    socket: &mut RouteSocket,
    namespace: BorrowedFd<'_>,
) -> io::Result<i32> {
    namespace_ids(socket, std::iter::once(namespace)).map(|ids| ids[0])
}

/// The identifiers by which the socket's namespace knows others; gives them some if need be.
pub(in crate::kernel) fn namespace_ids<'a>(
    socket: &mut RouteSocket,
    namespaces: impl Iterator<Item = BorrowedFd<'a>>,
) -> io::Result<Vec<i32>> {
    let fds: Vec<u32> = namespaces.map(|fd| u32::try_from(fd.as_raw_fd()).unwrap_or_default()).collect();
    let new = |fd: &u32| {
        let mut request = NsidMessage::default();
        // -1 lets the kernel choose.
        request.attributes = vec![NsidAttribute::Fd(*fd), NsidAttribute::Id(-1)];
        (RouteNetlinkMessage::NewNsId(request), 0)
    };
    for answer in socket.batch(fds.iter().map(new).collect())? {
        match answer {
            // It had one before.
            Err(refusal) if refusal.errno != libc::EEXIST => {
                return Err(io::Error::from_raw_os_error(refusal.errno));
            }
            _ => {}
        }
    }
    let id = |fd| known_namespace_id(socket, fd)?.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT));
    fds.into_iter().map(id).collect()
}

/// The identifiers by which the socket's namespace knows others that live.
pub(in crate::kernel) fn living_ids(socket: &mut RouteSocket) -> Dump<BTreeSet<i32>> {
    let found = socket.dump(&RouteNetlinkMessage::GetNsId(NsidMessage::default()))?;
    Ok(found.map(|messages| messages.iter().filter_map(id_in).collect()))
}

fn id_in(message: &RouteNetlinkMessage) -> Option<i32> {
    let RouteNetlinkMessage::NewNsId(answer) = message else { return None };
    let id = |attribute: &NsidAttribute| if let NsidAttribute::Id(id) = attribute { Some(*id) } else { None };
    answer.attributes.iter().find_map(id).filter(|id| *id >= 0)
}

fn known_namespace_id(socket: &mut RouteSocket, fd: u32) -> io::Result<Option<i32>> {
    let mut request = NsidMessage::default();
    request.attributes = vec![NsidAttribute::Fd(fd)];
    let answer = socket.get(RouteNetlinkMessage::GetNsId(request))?;
    let answer = answer.map_err(|refusal| io::Error::from_raw_os_error(refusal.errno))?;
    Ok(id_in(&answer))
}
