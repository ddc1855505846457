//! An ICMP echo sender that counts a refused send as a lost packet.
//!
//! ping(8) of iputils sends again without counting when the kernel drops a packet at once (ENOBUFS), as it
//! does while a link is down: an interruption would go unseen.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::AsFd,
    thread,
    time::Duration,
};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, ipproto, recv, sendto, socket};

/// Time between two echo requests.
const INTERVAL: Duration = Duration::from_millis(20);

/// Sends echo requests to `target` until it is killed; prints the sequence number of each answer on a line.
pub fn run(target: Ipv4Addr) -> bool {
    let socket = match socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::ICMP)) {
        Ok(socket) => socket,
        Err(error) => {
            eprintln!("cannot open a raw socket: {error}");
            return false;
        }
    };
    let id = std::process::id().to_be_bytes();
    let id = [id[2], id[3]];
    thread::scope(|scope| {
        scope.spawn(|| receive(socket.as_fd(), id));
        for sequence in 1..=u16::MAX {
            let packet = request(id, sequence.to_be_bytes());
            // A refused send is an answer that will be missing.
            let _ = sendto(&socket, &packet, SendFlags::empty(), &SocketAddrV4::new(target, 0));
            thread::sleep(INTERVAL);
        }
    });
    true
}

fn receive(socket: impl AsFd, id: [u8; 2]) {
    let mut buffer = [0; 1500];
    loop {
        let Ok((_, length)) = recv(&socket, &mut buffer, RecvFlags::empty()) else { continue };
        if let Some(sequence) = answer(&buffer[..length], id) {
            println!("{sequence}");
        }
    }
}

/// An echo request (RFC 792): type, code, checksum, identifier, sequence number.
fn request(id: [u8; 2], sequence: [u8; 2]) -> [u8; 8] {
    let word = |bytes: [u8; 2]| u32::from(u16::from_be_bytes(bytes));
    let sum = 0x0800 + word(id) + word(sequence);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    let [_, _, high, low] = (!sum).to_be_bytes();
    [8, 0, high, low, id[0], id[1], sequence[0], sequence[1]]
}

/// The sequence number of an answer to us: an IPv4 packet of which only the header's length matters here.
fn answer(packet: &[u8], id: [u8; 2]) -> Option<u16> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    match packet.get(header..header + 8)? {
        [0, 0, _, _, a, b, high, low] if [*a, *b] == id => Some(u16::from_be_bytes([*high, *low])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers() {
        let packet = request([0xff, 0xfe], [0xff, 0xff]);
        let sum: u32 = packet.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff, "RFC 1071: the sum of all words is all ones");
        let mut received = [0; 28];
        received[0] = 0x45;
        received[20..].copy_from_slice(&[0, 0, 0, 0, 1, 2, 0, 9]);
        assert_eq!(answer(&received, [1, 2]), Some(9));
        assert_eq!(answer(&received, [1, 3]), None);
        assert_eq!(answer(&received[..24], [1, 2]), None);
    }
}
