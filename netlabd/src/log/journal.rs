//! The journal's native protocol, <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>: every field of an event is
//! a field of its entry, so that `journalctl NETLAB_LAB=vxlan` and `journalctl -p warning` find it.
//!
//! `MESSAGE` says all of it, as the text on standard error would: `journalctl -u netlabd` shows nothing else.

use std::{
    fmt::{Debug, Write as _},
    os::unix::net::UnixDatagram,
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer};

/// Where the journal listens.
const SOCKET: &str = "/run/systemd/journal/socket";
/// Longest value in bytes: an entry must fit into a datagram.
const LONGEST: usize = 16 << 10;

/// Sends events to the journal.
#[derive(Debug)]
pub(super) struct Journal(UnixDatagram);

impl Journal {
    /// The journal, if that is what standard error is connected to: `$JOURNAL_STREAM`, systemd.exec(5).
    pub(super) fn of_standard_error() -> Option<Self> {
        let stream = std::env::var("JOURNAL_STREAM").ok()?;
        let stat = rustix::fs::fstat(std::io::stderr()).ok()?;
        if stream != format!("{}:{}", stat.st_dev, stat.st_ino) {
            return None;
        }
        let socket = UnixDatagram::unbound().ok()?;
        socket.connect(SOCKET).ok()?;
        Some(Self(socket))
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut entry = Entry::default();
        event.record(&mut entry);
        let metadata = event.metadata();
        let place = (metadata.file().unwrap_or_default(), metadata.line().unwrap_or_default());
        let text = entry.text();
        if self.0.send(&entry.datagram(*metadata.level(), &text, place)).is_err() {
            // The journal is being started again; systemd keeps the stream of standard error for it.
            eprintln!("{text}");
        }
    }
}

/// The fields of an event.
#[derive(Default)]
struct Entry {
    message: String,
    /// Name and value, and the value as it stands in the message.
    fields: Vec<(&'static str, String, String)>,
}

impl Entry {
    /// The message with all fields.
    fn text(&self) -> String {
        let mut text = self.message.clone();
        for (name, _, shown) in &self.fields {
            // Writing to a string does not fail.
            let _ = write!(text, " {name}={shown}");
        }
        text
    }

    fn datagram(&self, level: Level, text: &str, (file, line): (&str, u32)) -> Vec<u8> {
        let mut bytes = Vec::new();
        put(&mut bytes, "MESSAGE", text);
        put(&mut bytes, "PRIORITY", priority(level));
        put(&mut bytes, "SYSLOG_IDENTIFIER", "netlabd");
        put(&mut bytes, "CODE_FILE", file);
        put(&mut bytes, "CODE_LINE", &line.to_string());
        for (name, value, _) in &self.fields {
            put(&mut bytes, &field_name(name), value);
        }
        bytes
    }
}

impl Visit for Entry {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let value = format!("{value:?}");
        match field.name() {
            "message" => self.message = value,
            name => self.fields.push((name, value.clone(), value)),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            name => self.fields.push((name, value.to_owned(), format!("{value:?}"))),
        }
    }
}

/// `NETLAB_LAB` of `lab`: the journal takes capitals, digits and underscores.
fn field_name(name: &str) -> String {
    let letters = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    "NETLAB_".chars().chain(letters).collect()
}

/// As syslog(3) numbers it.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        Level::DEBUG | Level::TRACE => "7",
    }
}

/// Adds a field. Its length comes first, so that it may have any bytes.
fn put(bytes: &mut Vec<u8>, name: &str, value: &str) {
    let value = &value.as_bytes()[..value.len().min(LONGEST)];
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(b'\n');
    bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
    bytes.extend_from_slice(value);
    bytes.push(b'\n');
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn an_event_is_an_entry_with_fields() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let subscriber = tracing_subscriber::registry().with(Journal(ours));
        tracing::subscriber::with_default(subscriber, || {
            let absent: Option<&str> = None;
            tracing::warn!(lab = %"vxlan", uid = 1000, absent, why = "two\nlines", "denied");
        });
        let mut bytes = [0; 4096];
        let length = theirs.recv(&mut bytes).unwrap();
        let has = |name: &str, value: &str| {
            let mut field = Vec::new();
            put(&mut field, name, value);
            bytes[..length].windows(field.len()).any(|part| part == field)
        };
        assert!(has("MESSAGE", r#"denied lab=vxlan uid=1000 why="two\nlines""#));
        assert!(has("PRIORITY", "4"));
        assert!(has("NETLAB_LAB", "vxlan"));
        assert!(has("NETLAB_UID", "1000"));
        assert!(has("NETLAB_WHY", "two\nlines"));
        assert!(!String::from_utf8_lossy(&bytes[..length]).contains("ABSENT"));
    }

    #[test]
    fn long_values_are_cut() {
        let mut bytes = Vec::new();
        put(&mut bytes, "A", &"x".repeat(1 << 20));
        assert_eq!(bytes.len(), 2 + 8 + LONGEST + 1);
    }
}
