use super::*;

const ID: Id = Id { identifier: 0x1234, sequence: 7 };

/// An IPv4 packet without options, its own checksum left out.
fn ipv4(ttl: u8, protocol: u8, to: [u8; 4], content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x45, 0, 0, 0, 0, 0, 0, 0, ttl, protocol, 0, 0, 192, 0, 2, 1];
    bytes.extend(to);
    bytes.extend(content);
    bytes
}

fn icmp(kind: u8, code: u8, rest: [u8; 4], content: &[u8]) -> Vec<u8> {
    let mut bytes = [&[kind, code, 0, 0], &rest[..], content].concat();
    let sum = checksum(&bytes).to_be_bytes();
    bytes[2..4].copy_from_slice(&sum);
    bytes
}

fn ipv6(next: u8, to: Ipv6Addr, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0, 0, 0, next, 64];
    bytes.extend([0; 16]);
    bytes.extend(to.octets());
    bytes.extend(content);
    bytes
}

#[test]
fn checksums() {
    // The example of RFC 1071, section 3: the sum is 0xddf2.
    assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    assert_eq!(checksum(&[0x01]), !0x0100);
    assert_eq!(checksum(&[]), 0xffff);
    assert_eq!(checksum(&vec![0xff; 65_535]), 0x00ff);
}

#[test]
fn requests() {
    assert_eq!(request(Family::V4, ID, b"ab"), [8, 0, 0x84, 0x62, 0x12, 0x34, 0, 7, b'a', b'b']);
    assert_eq!(request(Family::V6, ID, b"ab"), [128, 0, 0, 0, 0x12, 0x34, 0, 7, b'a', b'b']);
    assert_eq!(checksum(&request(Family::V4, ID, b"odd")), 0);
}

#[test]
fn replies() {
    let reply = icmp(0, 0, [0x12, 0x34, 0, 7], b"payload");
    let expected = Message { id: ID, ttl: Some(61), content: Content::Reply(b"payload") };
    assert_eq!(decode(Family::V4, &ipv4(61, 1, [192, 0, 2, 2], &reply)), Some(expected));
    let mut damaged = reply;
    damaged[9] ^= 1;
    assert_eq!(decode(Family::V4, &ipv4(61, 1, [192, 0, 2, 2], &damaged)), None);

    let reply = [129, 0, 9, 9, 0x12, 0x34, 0, 7];
    let expected = Message { id: ID, ttl: None, content: Content::Reply(b"") };
    assert_eq!(decode(Family::V6, &reply), Some(expected));
}

#[test]
fn errors_about_our_requests() {
    let inner = ipv4(1, 1, [198, 18, 0, 9], &request(Family::V4, ID, b""));
    let cases = [
        (3, 0, "Destination Net Unreachable"),
        (3, 1, "Destination Host Unreachable"),
        (3, 4, "Frag needed (mtu = 1400)"),
        (3, 13, "Packet filtered"),
        (11, 0, "Time to live exceeded"),
        (12, 0, "Parameter problem (code 0)"),
    ];
    for (kind, code, text) in cases {
        let datagram = ipv4(64, 1, [192, 0, 2, 1], &icmp(kind, code, [0, 0, 0x05, 0x78], &inner));
        let content = Content::Error { target: [198, 18, 0, 9].into(), text: text.into() };
        assert_eq!(decode(Family::V4, &datagram), Some(Message { id: ID, ttl: Some(64), content }));
    }

    let to: Ipv6Addr = "2001:db8::9".parse().unwrap();
    let echo = request(Family::V6, ID, b"");
    let fragment = [&[ICMPV6, 0, 0, 1, 0, 0, 0, 1], &echo[..]].concat();
    for inner in [ipv6(ICMPV6, to, &echo), ipv6(FRAGMENT, to, &fragment)] {
        for (kind, code, text) in [
            (1, 0, "Destination unreachable: No route"),
            (1, 3, "Destination unreachable: Address unreachable"),
            (2, 0, "Packet too big (mtu = 1280)"),
            (3, 0, "Time exceeded: Hop limit"),
        ] {
            let datagram = [&[kind, code, 0, 0, 0, 0, 5, 0], &inner[..]].concat();
            let content = Content::Error { target: to.into(), text: text.into() };
            assert_eq!(decode(Family::V6, &datagram), Some(Message { id: ID, ttl: None, content }));
        }
    }
}

#[test]
fn what_is_not_about_echo_requests_is_passed_over() {
    let echo = request(Family::V4, ID, b"");
    let about = |inner: &[u8]| ipv4(64, 1, [192, 0, 2, 1], &icmp(3, 1, [0; 4], inner));
    let mut later_fragment = ipv4(1, 1, [198, 18, 0, 9], &echo);
    later_fragment[7] = 1;
    let datagrams = [
        ipv4(64, 1, [192, 0, 2, 1], &echo),
        ipv4(64, 1, [192, 0, 2, 1], &icmp(5, 0, [0; 4], &ipv4(1, 1, [198, 18, 0, 9], &echo))),
        about(&ipv4(1, 17, [198, 18, 0, 9], &echo)),
        about(&ipv4(1, 1, [198, 18, 0, 9], &icmp(0, 0, [0; 4], b""))),
        about(&later_fragment),
    ];
    for datagram in datagrams {
        assert_eq!(decode(Family::V4, &datagram), None, "{datagram:?}");
    }
}

#[test]
fn datagrams_that_are_cut_short_do_no_harm() {
    let echo = request(Family::V4, ID, b"");
    let error = ipv4(64, 1, [192, 0, 2, 1], &icmp(3, 1, [0; 4], &ipv4(1, 1, [198, 18, 0, 9], &echo)));
    assert!(decode(Family::V4, &error).is_some());
    for end in 0..error.len() {
        assert_eq!(decode(Family::V4, &error[..end]), None);
    }
    let inner = ipv6(ICMPV6, Ipv6Addr::LOCALHOST, &request(Family::V6, ID, b""));
    let error = [&[1, 0, 0, 0, 0, 0, 0, 0], &inner[..]].concat();
    assert!(decode(Family::V6, &error).is_some());
    for end in 0..error.len() {
        assert_eq!(decode(Family::V6, &error[..end]), None);
    }
}
