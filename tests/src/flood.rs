//! A client that asks for far more than it is entitled to: HTTP/2 (RFC 9113) by hand, because proper
//! clients keep to the limits.

use std::{
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    thread,
    time::Duration,
};

/// Frame types, RFC 9113 section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;

/// Flags of HEADERS and DATA.
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Silence after which nothing more is expected.
const QUIET: Duration = Duration::from_secs(2);

/// What is run by a flood of commands.
pub const COMMAND: [&str; 2] = ["sleep", "4325"];

/// What came of the calls of one connection.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    /// Calls that were answered and go on.
    begun: u32,
    /// Calls that were answered with an end.
    ended: u32,
    /// Calls whose stream was refused.
    refused: u32,
    /// Whether the daemon closed the connection.
    closed: bool,
}

/// A flood of calls.
#[derive(Debug, PartialEq, Eq)]
pub struct Flood {
    /// Connections to open.
    pub connections: u32,
    /// Calls to send on each.
    pub calls: u32,
    /// netlabd's socket.
    pub socket: PathBuf,
    /// Whether the answers are read.
    pub reads: bool,
    /// What to call, for example `LabService/GetLab`. `NodeService/Exec` runs [`COMMAND`] in node `ns1`.
    pub method: String,
    /// The lab to name.
    pub lab: String,
}

impl Flood {
    /// Sends the flood, prints what came of it, then `ready`, and keeps what is open until it is killed.
    pub fn run(&self) -> ! {
        run(self)
    }
}

fn run(flood: &Flood) -> ! {
    let Flood { connections, calls, socket, reads, method, lab } = flood;
    let one = || -> std::io::Result<(UnixStream, Seen)> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_write_timeout(Some(QUIET))?;
        stream.set_read_timeout(Some(QUIET))?;
        let (mut reader, reads) = (stream.try_clone()?, *reads);
        let reading = thread::spawn(move || if reads { listen(&mut reader) } else { Seen::default() });
        // The daemon may close or stall the connection half way: that is what is looked at.
        let _ = stream.write_all(&opening()).and_then(|()| {
            (0..*calls).try_for_each(|number| stream.write_all(&call(2 * number + 1, method, lab)))
        });
        Ok((stream, reading.join().unwrap_or_default()))
    };
    let running: Vec<_> = thread::scope(|scope| {
        let started: Vec<_> = (0..*connections).map(|_| scope.spawn(one)).collect();
        started.into_iter().filter_map(|one| one.join().ok()).collect()
    });
    let mut all = Seen::default();
    let (mut open, mut closed) = (Vec::new(), 0);
    for result in running {
        let Ok((stream, seen)) = result else { continue };
        all.begun += seen.begun;
        all.ended += seen.ended;
        all.refused += seen.refused;
        closed += u32::from(seen.closed);
        open.push(stream);
    }
    println!(
        "opened {} begun {} ended {} refused {} closed {closed}",
        open.len(),
        all.begun,
        all.ended,
        all.refused
    );
    println!("ready");
    // Until then nothing that was opened is closed.
    loop {
        thread::park();
    }
}

/// Preface and empty settings, RFC 9113 section 3.4.
fn opening() -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(SETTINGS, 0, 0, &[])].concat()
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a small frame").to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [head.as_slice(), payload].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).expect("a short text")], text.as_bytes()].concat()
}

/// A request (protobuf) whose field 1 is `lab`; of commands, one whose field 1 is an `ExecStart`.
fn message(method: &str, lab: &str) -> Vec<u8> {
    let field = |number: u8, value: &[u8]| {
        [&[number << 3 | 2, u8::try_from(value.len()).expect("a short value")], value].concat()
    };
    let lab = field(1, lab.as_bytes());
    if method != "NodeService/Exec" {
        return lab;
    }
    let command = COMMAND.map(|word| field(3, word.as_bytes())).concat();
    field(1, &[lab, field(2, b"ns1"), command].concat())
}

/// A whole gRPC call: headers (HPACK without tables, RFC 7541) and one message.
fn call(stream: u32, method: &str, lab: &str) -> Vec<u8> {
    let headers = [
        // Indexed: `:method: POST`, `:scheme: http`. Named by index: `:path`, `:authority`, `content-type`.
        vec![0x83, 0x86, 0x04],
        text(&format!("/netlab.v1.{method}")),
        vec![0x01],
        text("localhost"),
        vec![0x0f, 0x10],
        text("application/grpc"),
        vec![0x00],
        text("te"),
        text("trailers"),
        // A caller cannot say who it is.
        vec![0x00],
        text("uid"),
        text("0"),
    ]
    .concat();
    let message = message(method, lab);
    let length = u32::try_from(message.len()).expect("a small message").to_be_bytes();
    let body = [&[0], length.as_slice(), &message].concat();
    [frame(HEADERS, END_HEADERS, stream, &headers), frame(DATA, END_STREAM, stream, &body)].concat()
}

/// Reads frames until nothing comes any more; gives no credit for more data.
fn listen(stream: &mut UnixStream) -> Seen {
    let mut seen = Seen::default();
    let mut head = [0; 9];
    loop {
        if let Err(error) = stream.read_exact(&mut head) {
            seen.closed = !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            return seen;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        if stream.read_exact(&mut payload).is_err() {
            seen.closed = true;
            return seen;
        }
        match (head[3], head[4] & END_STREAM) {
            (HEADERS, 0) => seen.begun += 1,
            (HEADERS, _) => seen.ended += 1,
            (RST_STREAM, _) => seen.refused += 1,
            _ => {}
        }
    }
}
