//! What texts of a lab file look like; netlabd checks that, and more.

use netlab_proto::v1::TextFormat;
use serde_json::{Value, json};

/// The name of a lab or node.
const NAME: &str = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$";
/// Of an interface; the kernel counts bytes.
const INTERFACE: &str = "^[^/:%\\s]{1,15}$";
/// An IPv4 address without zeros before its numbers (`inet_aton(3)` would read them as octal).
const IPV4: &str = "OCTET(\\.OCTET){3}";
const OCTET: &str = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
/// An IPv6 address, RFC 4291 2.2: whole, or with one `::` in each place that it can have.
const IPV6: &str = "((H:){7}H|(H:){1,7}:|(H:){1,6}:H|(H:){1,5}(:H){1,2}|(H:){1,4}(:H){1,3}|(H:){1,3}(:H){1,4}|\
                    (H:){1,2}(:H){1,5}|H:(:H){1,6}|:((:H){1,7}|:))";
const HEXTET: &str = "[0-9A-Fa-f]{1,4}";
const PORT: &str = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";

/// 32 bytes in base64: the last character but the padding holds four bits.
const KEY: &str = "[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=";

/// A pattern for one of two texts, in which `4`, `6` and `P` stand for an address of either kind and a port.
fn address(text: &str) -> String {
    let mut out = String::from("^(");
    for c in text.chars() {
        match c {
            '4' => out.push_str(&IPV4.replace("OCTET", OCTET)),
            '6' => out.push_str(&IPV6.replace('H', HEXTET)),
            'P' => out.push_str(PORT),
            // The length of an IPv4 and of an IPv6 prefix.
            'm' => out.push_str("/(3[0-2]|[12]?[0-9])"),
            'n' => out.push_str("/(12[0-8]|1[01][0-9]|[1-9]?[0-9])"),
            c => out.push(c),
        }
    }
    out + ")$"
}

/// A pattern for a number with a unit.
fn quantity(unit: &str) -> String {
    format!("^(0|[1-9][0-9]*)(\\.[0-9]+)?{unit}$")
}

/// A number, which needs no quotes, or a text of this pattern.
fn number_or(pattern: &str, min: u32, max: u32) -> Value {
    json!({ "type": ["string", "integer"], "pattern": pattern, "minimum": min, "maximum": max })
}

/// The schema of a text.
pub(super) fn text(format: TextFormat) -> Value {
    let pattern = match format {
        // A number that is not quoted is text where text is asked for.
        TextFormat::Unspecified | TextFormat::NodeName | TextFormat::Sysctl => {
            return json!({ "type": ["string", "number", "boolean"] });
        }
        TextFormat::LabName => {
            return json!({ "type": ["string", "integer"], "pattern": NAME, "maxLength": 40 });
        }
        // A name may look like a number, which needs no quotes.
        TextFormat::Interface => {
            return json!({ "type": ["string", "number", "boolean"], "pattern": INTERFACE });
        }
        TextFormat::Ports => return number_or(&format!("^{PORT}(-{PORT})?$"), 1, 65_535),
        TextFormat::Protocol => return number_or("^([a-z][a-z0-9]*|[0-9]{1,3})$", 0, 255),
        TextFormat::Duration => quantity("(ns|us|ms|s)"),
        TextFormat::Share => quantity("%"),
        TextFormat::Rate => quantity("(bit|kbit|mbit|gbit)"),
        TextFormat::Key => format!("^{KEY}$"),
        TextFormat::SecretKey => format!("^(auto|{KEY})$"),
        TextFormat::Endpoint => "^[a-z0-9-]{1,20}:[^/:%\\s]{1,15}$".to_owned(),
        TextFormat::Mac => "^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$".to_owned(),
        TextFormat::Address => address("4|6"),
        TextFormat::InterfaceAddress => address("slaac|4m|6n"),
        TextFormat::Prefix => address("4m|6n"),
        TextFormat::Destination => {
            let range = address("default|4m|6n");
            range.replacen("^(", "^(mpls:[1-9][0-9]{1,6}|", 1)
        }
        TextFormat::SocketAddress => address("4:P|\\[6\\]:P"),
        TextFormat::AddressRange => address("4(-4)?|6(-6)?"),
        TextFormat::Translation => address("4(-4)?(:P(-P)?)?|6(-6)?|\\[6\\](-\\[6\\])?(:P(-P)?)?"),
    };
    json!({ "type": "string", "pattern": pattern })
}

/// The schema of the keys of a map; `None`: any will do.
pub(super) fn names(format: TextFormat) -> Option<Value> {
    match format {
        TextFormat::NodeName => Some(json!({ "pattern": NAME, "maxLength": 20, "not": { "const": "host" } })),
        TextFormat::Interface => Some(json!({ "pattern": INTERFACE })),
        TextFormat::Sysctl => Some(json!({ "pattern": "^net\\." })),
        _ => None,
    }
}
