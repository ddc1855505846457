//! A scraper of metrics.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    time::Duration,
};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Where netlabd serves metrics in tests.
pub const PORT: u16 = 9469;

/// The configuration that makes netlabd serve them there.
pub const CONFIG: &str = "[metrics]\nlisten = \"127.0.0.1:9469\"\nper_lab = true\n";

/// Series by name and labels as they are written, with their values.
pub type Series = BTreeMap<String, f64>;

/// Sends a request and reads the answer to its end.
pub fn ask(request: &[u8]) -> String {
    let stream = TcpStream::connect(("127.0.0.1", PORT)).expect("connecting to the port for metrics");
    stream.set_read_timeout(Some(LIMIT)).expect("a time limit can be set");
    talk(stream, request)
}

/// The same by a unix socket.
pub fn ask_unix(path: &str, request: &[u8]) -> String {
    let stream = UnixStream::connect(path).expect("connecting to the socket for metrics");
    stream.set_read_timeout(Some(LIMIT)).expect("a time limit can be set");
    talk(stream, request)
}

fn talk(mut stream: impl Read + Write, request: &[u8]) -> String {
    // A server that has heard enough may close before all is sent.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    // What had come before the connection broke counts.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// The request of a scraper.
pub fn request(accept: &str) -> Vec<u8> {
    format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n").into_bytes()
}

/// All metrics as they are now.
pub fn scrape() -> Series {
    let answer = ask(&request("text/plain"));
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    parse(body)
}

/// The series of an answer.
pub fn parse(body: &str) -> Series {
    let series = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("not a sample: {line}"));
        (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("not a number: {line}")))
    };
    body.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(series).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read() {
        let seen = parse("# HELP a b.\n# TYPE a counter\na_total{x=\"y z\"} 3\n\nb 0.5\n# EOF\n");
        assert_eq!(seen, Series::from([("a_total{x=\"y z\"}".into(), 3.0), ("b".into(), 0.5)]));
    }
}
