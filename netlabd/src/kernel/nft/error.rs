//! What can go wrong between us and nftables.

use std::io;

use super::super::netlink::Message;
use super::{decode, message::attr};

/// A refused or failed exchange with nftables.
#[derive(Debug, thiserror::Error)]
#[error("{object}: {}{}{}", words(cause), detail(note), hint(self))]
pub struct Error {
    /// What was worked on, for example `chain prerouting of table inet netlab`.
    object: String,
    /// The kernel's refusal.
    #[source]
    cause: io::Error,
    /// The kernel's extended acknowledgement text, or which answer was missing.
    note: String,
    /// The kernel options without which this fails.
    option: String,
}

impl Error {
    /// A failure of the socket itself.
    pub(super) fn socket(doing: &str, cause: io::Error) -> Self {
        let object = format!("the nftables socket ({doing})");
        Self { object, cause, note: String::new(), option: "CONFIG_NF_TABLES".to_owned() }
    }

    /// A refused message. `extended` is the text of the extended acknowledgement, if there was one.
    pub(super) fn refused(message: Message<'_>, errno: i32, extended: Option<&str>) -> Self {
        let (object, option) = describe(message);
        let note = extended.unwrap_or_default().to_owned();
        Self { object, cause: io::Error::from_raw_os_error(errno), note, option }
    }

    /// The kernel's error number, if it is one.
    pub fn errno(&self) -> Option<i32> {
        self.cause.raw_os_error()
    }

    /// Whether this is how a kernel without nftables answers: no such protocol (no `CONFIG_NETFILTER_NETLINK`),
    /// or no such subsystem in it (`nfnetlink_rcv_msg` in `net/netfilter/nfnetlink.c` gives EINVAL).
    pub(super) fn is_no_nf_tables(&self) -> bool {
        matches!(self.errno(), Some(libc::EPROTONOSUPPORT | libc::EINVAL | libc::EOPNOTSUPP))
    }
}

/// Names what a message is about, and the kernel options that it needs.
fn describe(message: Message<'_>) -> (String, String) {
    let kind = i32::from(message.kind() & 0xff);
    let table = "table inet netlab";
    match kind {
        libc::NFT_MSG_NEWCHAIN | libc::NFT_MSG_DELCHAIN => {
            let chain = message.text(attr::CHAIN_NAME).unwrap_or("?");
            let translates = message.text(attr::CHAIN_TYPE) == Some("nat");
            let option = if translates { "CONFIG_NFT_NAT" } else { "CONFIG_NF_TABLES_INET" };
            (format!("chain {chain} of {table}"), option.to_owned())
        }
        libc::NFT_MSG_NEWRULE | libc::NFT_MSG_DELRULE | libc::NFT_MSG_GETRULE => {
            let chain = message.text(attr::RULE_CHAIN).unwrap_or("?");
            let rule = message.attribute(attr::RULE_USERDATA).and_then(super::comment::from_userdata);
            let rule = rule.map_or_else(|| "the rules".to_owned(), |text| format!("rule \"{text}\""));
            (format!("{rule} of chain {chain} of {table}"), options(message))
        }
        _ => (table.to_owned(), "CONFIG_NF_TABLES_INET".to_owned()),
    }
}

/// The kernel options that the expressions of a rule need, beside that of nftables itself.
fn options(rule: Message<'_>) -> String {
    const NEEDS: [(&str, &str); 5] = [
        ("ct", "CONFIG_NFT_CT"),
        ("fib", "CONFIG_NFT_FIB_INET"),
        ("masq", "CONFIG_NFT_MASQ"),
        ("nat", "CONFIG_NFT_NAT"),
        ("reject", "CONFIG_NFT_REJECT_INET"),
    ];
    let names: Vec<String> =
        decode::names(rule.attribute(attr::RULE_EXPRESSIONS).unwrap_or_default()).collect();
    let needed = NEEDS.iter().filter(|(name, _)| names.iter().any(|known| known == name));
    let options: Vec<&str> = needed.map(|(_, option)| *option).collect();
    if options.is_empty() { "CONFIG_NF_TABLES_INET".to_owned() } else { options.join(" and ") }
}

/// The kernel's words without Rust's "(os error 2)".
fn words(cause: &io::Error) -> String {
    let text = cause.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

fn detail(note: &str) -> String {
    if note.is_empty() { String::new() } else { format!(" ({note})") }
}

fn hint(error: &Error) -> String {
    let option = &error.option;
    match error.errno() {
        Some(libc::EOPNOTSUPP | libc::ENOENT | libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT) => {
            format!("; the kernel seems to lack {option}: load its module or use a kernel that has it")
        }
        Some(libc::EPERM) => "; netlabd needs CAP_NET_ADMIN, and another program may own the table \
            (\"flags owner\"): see `nft list table inet netlab`"
            .into(),
        Some(libc::EBUSY) => "; somebody's rule jumps to it: see `nft list table inet netlab`".into(),
        Some(libc::ENOBUFS | libc::ENOMEM) => "; the kernel is short of memory: try again".into(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_number_is_not_lost_on_the_way() {
        let error = Error::socket("sending", io::Error::from_raw_os_error(libc::ENOBUFS));
        let wrapped = io::Error::other(error);
        assert_eq!(crate::platform::errno_of(&wrapped), Some(libc::ENOBUFS));
        let failure = crate::platform::Failure::os("ns1", "observing its namespace", &wrapped);
        assert!(failure.is_shortage(), "{failure}");
    }
}
