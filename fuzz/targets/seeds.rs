//! Writes what the fuzzers begin with: the example labs, random ones, and a message or two of each other kind.

use std::{fs, io, path::Path};

use netlabd::design::{Design, SYSCTLS};
use prost::Message as _;

/// So many random labs, which between them have every kind of interface.
const DESIGNS: u32 = 64;

/// `fuzz-seeds LABS TO`: from the lab files in a folder, a folder for each target.
fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [labs, to] = args.as_slice() else {
        return Err(io::Error::other("usage: fuzz-seeds LABS TO"));
    };
    let to = Path::new(to);
    for name in ["lab-file", "request", "wire"] {
        fs::create_dir_all(to.join(name))?;
    }
    for entry in fs::read_dir(labs)?.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = fs::read(&path)?;
        let lab = netlabctl::read_lab("seed", &text)
            .map_err(|lines| io::Error::other(format!("{}: {}", path.display(), lines.join("; "))))?;
        fs::write(to.join("lab-file").join(&name), &text)?;
        fs::write(to.join("request").join(&name), lab.encode_to_vec())?;
    }
    let design = Design { number: 0, parent: "eth9", bridge: "br9", has: &|_| true, sysctls: &SYSCTLS };
    for number in 0..DESIGNS {
        let next = |last: &u32| Some(last.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
        let mut choices = std::iter::successors(Some(number), next).map(|number| number >> 8);
        let lab = design.lab("seed", &mut choices).map_err(io::Error::other)?;
        fs::write(to.join("request").join(format!("design-{number}")), lab.encode_to_vec())?;
    }
    for (number, (_, bytes)) in WIRE.iter().enumerate() {
        let mut seed = vec![WIRE[number].0];
        seed.extend(*bytes);
        fs::write(to.join("wire").join(number.to_string()), seed)?;
    }
    Ok(())
}

/// By number in `netlabd::fuzzing::ALL`: a message of the kind.
const WIRE: [(u8, &[u8]); 6] = [
    // RTM_NEWLINK of interface 7, IFLA_IFNAME "eth0", IFLA_IFALIAS.
    (0, b"\x34\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x07\0\0\0\0\0\0\0\0\0\0\0\x09\0\x03\0eth0\0\0\0\0\x08\0\x14\0lab\0"),
    // NFT_MSG_NEWRULE: table "netlab", chain "a-postrouting", a comment as user data.
    (1, b"\x54\0\0\0\x06\x0a\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x0b\0\x01\0netlab\0\0\x12\0\x02\0a-postrouting\0\0\0\x14\0\x07\0\0\x0bmasquerade\0\0\0\0"),
    // An echo reply in IPv4.
    (2, b"\x45\0\0\x1c\0\0\0\0\x40\x01\0\0\xc0\0\x02\x01\xc0\0\x02\x02\0\0\xff\xfc\0\x01\0\x02"),
    // Destination unreachable, with our request in it.
    (3, b"\x01\x04\0\0\0\0\0\0\x60\0\0\0\0\x08\x3a\x40\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x80\0\0\0\0\x01\0\x02"),
    (4, b"\0\0\0\0\x2a\0\0\0"),
    (5, b"[quotas]\nlabs = 3\n[policy]\nmacvlan_parents = [\"eth1\"]\n"),
];
