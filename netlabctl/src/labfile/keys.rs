//! What a lab file has beside the fields of the API: the structure that is written out.

/// Keys of a lab that the flat one does not have.
pub(super) const LAB: [&str; 6] =
    ["include", "networks", "parameters", "pools", "static_routes", "templates"];

/// Keys of a link.
const LINK: [&str; 6] = ["mesh", "chain", "ring", "pairs", "star", POOL];

/// Keys of a node.
const NODE: [&str; 1] = [USE];

/// The pool of a link's addresses.
pub(super) const POOL: &str = "pool";

/// The templates of a node.
pub(super) const USE: &str = "use";

/// What a message of the API also has in a lab file, by the message's name.
pub(super) fn of(message: &str) -> &'static [&'static str] {
    match message {
        "Lab" => &LAB,
        "Link" => &LINK,
        "Node" => &NODE,
        _ => &[],
    }
}
