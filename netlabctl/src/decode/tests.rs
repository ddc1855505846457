//! Frames and the lines that tcpdump 4.99 prints for them.

use super::Decoder;

/// A file with one interface and these frames, a second apart.
fn file(link: u16, frames: &[Vec<u8>]) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let length = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
        [&kind.to_le_bytes()[..], &length, body, &length].concat()
    };
    let mut file =
        block(0x0a0d_0d0a, &[&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat());
    let options = [&[2, 0, 8, 0][..], b"ns1:eth0", &[9, 0, 1, 0, 9, 0, 0, 0], &[0; 4]].concat();
    file.extend(block(1, &[&link.to_le_bytes()[..], &[0; 6], &options].concat()));
    for (second, frame) in (0_u64..).zip(frames) {
        let time = 1_000_000_000 * (1_000 + second) + 5_000;
        let (high, low) = (u32::try_from(time >> 32).unwrap(), u32::try_from(time & 0xffff_ffff).unwrap());
        let length = u32::try_from(frame.len()).unwrap();
        let mut body: Vec<u8> =
            [0, high, low, length, length].iter().flat_map(|word| word.to_le_bytes()).collect();
        body.extend(frame);
        body.resize(body.len().next_multiple_of(4), 0);
        file.extend(block(6, &body));
    }
    // Statistics are passed over.
    file.extend(block(5, &[0; 12]));
    file
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.bytes().collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// The frames of the table, and what is expected of them.
fn table() -> (Vec<Vec<u8>>, String) {
    let text = include_str!("packets.txt");
    let frames = text.lines().filter_map(|line| line.strip_prefix("frame ")).map(hex).collect();
    let wanted = text.lines().filter_map(|line| line.strip_prefix("  "));
    (frames, wanted.flat_map(|line| [line, "\n"]).collect())
}

fn without_times(text: &str) -> String {
    fn bare(line: &str) -> &str {
        let timed = line.get(2..3) == Some(":") && line.get(8..9) == Some(".");
        if timed { &line[16..] } else { line }
    }
    text.lines().flat_map(|line| [bare(line), "\n"]).collect()
}

#[test]
fn lines_as_tcpdump_has_them() {
    let (frames, wanted) = table();
    let lines = Decoder::default().push(&file(1, &frames)).unwrap();
    assert!(lines.starts_with("00:16:40.000005 ARP, Request"), "{lines}");
    for (line, wanted) in without_times(&lines).lines().zip(wanted.lines()) {
        assert_eq!(line, wanted);
    }
    assert_eq!(lines.lines().count(), wanted.lines().count());
}

#[test]
fn a_stream_in_pieces_is_the_same_stream() {
    let file = file(1, &table().0);
    let whole = Decoder::default().push(&file).unwrap();
    let mut decoder = Decoder::default();
    let pieces: String = file.chunks(7).map(|piece| decoder.push(piece).unwrap()).collect();
    assert_eq!(pieces, whole);
    assert!(Decoder::default().push(b"this is no capture").is_err());
}

#[test]
fn interfaces_and_link_headers_are_shown_if_asked_for() {
    let mut decoder = Decoder::new(true, true);
    let frame = table().0.remove(0);
    let line = decoder.push(&file(1, &[frame])).unwrap();
    let wanted = "00:16:40.000005 ns1:eth0 02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype ARP (0x0806), length 42: \
                  ARP, Request who-has 192.0.2.2 tell 192.0.2.1, length 28\n";
    assert_eq!(line, wanted);
    let packet = table().0[3][14..].to_vec();
    let line = Decoder::default().push(&file(101, &[packet])).unwrap();
    assert_eq!(line, "00:16:40.000005 IP 192.0.2.1 > 192.0.2.2: ICMP echo request, id 7, seq 1, length 64\n");
}

#[test]
fn no_frame_is_too_short_or_too_strange() {
    let (frames, _) = table();
    for frame in frames {
        let cut: Vec<_> = (0..frame.len()).map(|length| frame[..length].to_vec()).collect();
        let lines = Decoder::default().push(&file(1, &cut)).unwrap();
        assert!(lines.lines().count() >= cut.len());
        for at in 12..frame.len() {
            let mut strange = frame.clone();
            strange[at] ^= 0xff;
            assert!(!Decoder::default().push(&file(1, &[strange])).unwrap().is_empty());
        }
    }
}
