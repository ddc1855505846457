//! A blocking rtnetlink socket with batches, dumps and the kernel's extended errors.

use std::{fmt, io, os::fd::AsRawFd, os::fd::BorrowedFd};

use crate::platform::os_text;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer, NetlinkMessage, NetlinkPayload,
    NlasIterator,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, protocols::NETLINK_ROUTE};

/// Messages in one send: their acknowledgements fit the receive buffer with room to spare.
const BATCH: usize = 200;

/// Size of the receive buffer: a dump's page, and every acknowledgement of a batch.
const RECEIVE_BUFFER: usize = 4 << 20;

/// A socket of the network namespace in which it was opened.
pub(in crate::kernel) struct RouteSocket {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

/// A request that the kernel refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kernel) struct NetlinkError {
    /// errno(3).
    pub(in crate::kernel) errno: i32,
    /// The extended acknowledgement's text; empty where the kernel gave none.
    pub(in crate::kernel) text: String,
}

impl fmt::Display for NetlinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&os_text(&io::Error::from_raw_os_error(self.errno)))?;
        if !self.text.is_empty() {
            write!(f, " ({})", self.text)?;
        }
        Ok(())
    }
}

/// A request and its flags beyond `NLM_F_REQUEST | NLM_F_ACK`.
pub(in crate::kernel) type Request = (RouteNetlinkMessage, u16);

impl RouteSocket {
    /// Opens a socket in the calling thread's network namespace.
    pub(in crate::kernel) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        socket.set_netlink_get_strict_chk(true)?;
        // SAFETY: the descriptor is the socket's own and outlives the borrow.
        #[expect(unsafe_code, reason = "netlink-sys lends no descriptor")]
        let fd = unsafe { BorrowedFd::borrow_raw(socket.as_raw_fd()) };
        rustix::net::sockopt::set_socket_recv_buffer_size_force(fd, RECEIVE_BUFFER)?;
        rustix::net::sockopt::set_socket_send_buffer_size_force(fd, RECEIVE_BUFFER)?;
        Ok(Self { socket, sequence: 0, buffer: Vec::with_capacity(64 << 10) })
    }

    /// Sends requests, many in one datagram, and returns each one's answer in order. The kernel
    /// works on them one by one; a refused one does not keep it from the next.
    pub(in crate::kernel) fn batch(
        &mut self,
        requests: Vec<Request>,
    ) -> io::Result<Vec<Result<(), NetlinkError>>> {
        let mut answers = Vec::with_capacity(requests.len());
        let mut requests = requests.into_iter().peekable();
        while requests.peek().is_some() {
            let first = self.sequence + 1;
            let mut datagram = Vec::new();
            for (message, flags) in requests.by_ref().take(BATCH) {
                self.encode(message, NLM_F_REQUEST | NLM_F_ACK | flags, &mut datagram);
            }
            self.socket.send(&datagram, 0)?;
            answers.extend(self.answers(first, self.sequence)?);
        }
        Ok(answers)
    }

    /// Asks for one object and returns the kernel's answer.
    pub(in crate::kernel) fn get(
        &mut self,
        message: RouteNetlinkMessage,
    ) -> io::Result<Result<RouteNetlinkMessage, NetlinkError>> {
        let mut datagram = Vec::new();
        self.encode(message, NLM_F_REQUEST, &mut datagram);
        self.socket.send(&datagram, 0)?;
        let mut answer = None;
        while answer.is_none() {
            let sequence = self.sequence;
            self.receive(|message| {
                if message.header.sequence_number != sequence {
                    return;
                }
                answer = match message.payload {
                    NetlinkPayload::InnerMessage(inner) => Some(Ok(inner)),
                    NetlinkPayload::Error(error) => Some(Err(refusal(&error))),
                    _ => None,
                };
            })?;
        }
        answer.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Asks for a whole table, again if it changed meanwhile.
    pub(in crate::kernel) fn dump(
        &mut self,
        message: &RouteNetlinkMessage,
    ) -> io::Result<Result<Vec<RouteNetlinkMessage>, NetlinkError>> {
        const ATTEMPTS: usize = 10;
        let mut found = Ok(Vec::new());
        for _ in 0..ATTEMPTS {
            let interrupted;
            (found, interrupted) = self.dump_once(message.clone())?;
            if !interrupted {
                break;
            }
        }
        Ok(found)
    }

    #[allow(clippy::type_complexity)]
    fn dump_once(
        &mut self,
        message: RouteNetlinkMessage,
    ) -> io::Result<(Result<Vec<RouteNetlinkMessage>, NetlinkError>, bool)> {
        let mut datagram = Vec::new();
        self.encode(message, NLM_F_REQUEST | NLM_F_DUMP, &mut datagram);
        self.socket.send(&datagram, 0)?;
        let (mut found, mut failed, mut done, mut interrupted) = (Vec::new(), None, false, false);
        while !done {
            let sequence = self.sequence;
            self.receive(|message| {
                if message.header.sequence_number != sequence {
                    return;
                }
                interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
                match message.payload {
                    NetlinkPayload::InnerMessage(inner) => found.push(inner),
                    NetlinkPayload::Done(_) => done = true,
                    NetlinkPayload::Error(error) => {
                        failed = Some(refusal(&error));
                        done = true;
                    }
                    _ => {}
                }
            })?;
        }
        Ok((failed.map_or(Ok(found), Err), interrupted))
    }

    fn encode(&mut self, message: RouteNetlinkMessage, flags: u16, datagram: &mut Vec<u8>) {
        self.sequence = self.sequence.wrapping_add(1);
        let mut message = NetlinkMessage::from(message);
        message.header.flags = flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let start = datagram.len();
        datagram.resize(start + message.buffer_len().next_multiple_of(4), 0);
        message.serialize(&mut datagram[start..]);
    }

    fn answers(&mut self, first: u32, last: u32) -> io::Result<Vec<Result<(), NetlinkError>>> {
        let count = (last.wrapping_sub(first) + 1) as usize;
        let mut answers = vec![Ok(()); count];
        let mut missing = count;
        while missing > 0 {
            self.receive(|message| {
                let position = message.header.sequence_number.wrapping_sub(first) as usize;
                if let (Some(answer), NetlinkPayload::Error(error)) =
                    (answers.get_mut(position), &message.payload)
                {
                    missing -= 1;
                    if error.code.is_some() {
                        *answer = Err(refusal(error));
                    }
                }
            })?;
        }
        Ok(answers)
    }

    /// Receives one datagram and hands over its messages. One that cannot be read is passed over:
    /// newer kernels may show what this code does not know.
    fn receive(&mut self, mut each: impl FnMut(NetlinkMessage<RouteNetlinkMessage>)) -> io::Result<()> {
        self.buffer.clear();
        let length = self.socket.recv(&mut self.buffer, libc::MSG_TRUNC)?;
        if length > self.buffer.len() {
            return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
        }
        let mut rest = &self.buffer[..length];
        while let Ok(buffer) = NetlinkBuffer::new_checked(rest) {
            let length = buffer.length() as usize;
            if let Ok(message) = NetlinkMessage::deserialize(&rest[..length]) {
                each(message);
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(())
    }
}

fn refusal(error: &netlink_packet_core::ErrorMessage) -> NetlinkError {
    /// `NLMSGERR_ATTR_MSG` in linux/netlink.h.
    const TEXT: u16 = 1;
    // With NETLINK_CAP_ACK the answer holds the request's 16-byte header, then attributes.
    let attributes = error.header.get(16..).unwrap_or_default();
    let text = NlasIterator::new(attributes).flatten().find(|nla| nla.kind() == TEXT);
    let text = text.map(|nla| String::from_utf8_lossy(nla.value()).trim_end_matches('\0').to_owned());
    NetlinkError { errno: -error.raw_code(), text: text.unwrap_or_default() }
}
