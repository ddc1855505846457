//! Capture filters: pcap-filter(7) expressions, compiled by tcpdump.
//!
//! tcpdump's `-ddd` prints the program in numbers. It runs as nobody in a network namespace of its own;
//! the daemon stays free of libpcap and its parser. For Ethernet libpcap must see a living interface:
//! only then does it look for VLAN tags where the kernel keeps them, beside the packet, and knows
//! `inbound` and `outbound`.

use std::time::Duration;

use tokio::process::Command;

use super::confine;

/// Longest expression in bytes.
const MAX_LENGTH: usize = 4_096;
/// A compilation takes milliseconds.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A program for `SO_ATTACH_FILTER`, in the layout of `struct sock_filter`: code, jt, jf, k.
pub(super) type Program = Vec<(u16, u8, u8, u32)>;

/// A filter for each kind of link. The default lets everything pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// As written.
    pub(super) expression: String,
    /// For Ethernet frames.
    pub(super) ethernet: Program,
    /// For IP packets without a link-level header; `None` where it makes no sense for these.
    pub(super) raw: Option<Program>,
}

/// Why an expression cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// It is no filter; in libpcap's words.
    #[error("{0}; see pcap-filter(7)")]
    Bad(String),
    /// There is no tcpdump, or it does not answer.
    #[error("cannot compile the filter: tcpdump: {0}; install it on the host of netlabd")]
    Tool(std::io::Error),
}

/// Compiles an expression.
pub async fn compile(expression: &str) -> Result<Filter, FilterError> {
    let expression = expression.trim();
    if expression.is_empty() {
        return Ok(Filter { raw: Some(Program::new()), ..Filter::default() });
    }
    if expression.len() > MAX_LENGTH || expression.contains('\0') {
        return Err(FilterError::Bad(format!("a filter has at most {MAX_LENGTH} bytes and no NUL")));
    }
    let ethernet = compile_for(&["-i", "lo", "-y", "EN10MB"], expression).await?;
    let raw = compile_for(&["-y", "RAW"], expression).await.ok();
    Ok(Filter { expression: expression.to_owned(), ethernet, raw })
}

async fn compile_for(link: &[&str], expression: &str) -> Result<Program, FilterError> {
    let mut command = Command::new("tcpdump");
    command
        .args(link)
        .args(["-ddd", "--", expression])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .current_dir("/")
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    confine::in_an_empty_network(&mut command);
    let output = tokio::time::timeout(TIMEOUT, command.output())
        .await
        .map_err(|_| FilterError::Tool(std::io::ErrorKind::TimedOut.into()))?
        .map_err(FilterError::Tool)?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let told = |line: &&str| !line.is_empty() && !line.contains("data link type");
        let message = text.lines().find(told).unwrap_or("it is not a filter");
        return Err(FilterError::Bad(message.trim_start_matches("tcpdump: ").to_owned()));
    }
    parse(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| FilterError::Bad("tcpdump printed no program".into()))
}

/// The output of `-ddd`: the number of instructions, then one a line.
fn parse(text: &str) -> Option<Program> {
    let mut lines = text.lines();
    let count: usize = lines.next()?.trim().parse().ok()?;
    let instruction = |line: &str| {
        let mut numbers = line.split_whitespace();
        Some((
            numbers.next()?.parse().ok()?,
            numbers.next()?.parse().ok()?,
            numbers.next()?.parse().ok()?,
            numbers.next()?.parse().ok()?,
        ))
    };
    let program: Program = lines.map(instruction).collect::<Option<_>>()?;
    (program.len() == count && count > 0).then_some(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn expressions() {
        assert_eq!(compile(" ").await.unwrap().ethernet, []);
        // Without root there is no namespace to compile in; the end to end tests do the rest.
        match compile("tcp port 80").await {
            Err(FilterError::Tool(error)) => {
                assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{error}");
                return;
            }
            filter => assert!(!filter.unwrap().ethernet.is_empty()),
        }
        let error = compile("tcp prot 80").await.unwrap_err().to_string();
        assert!(error.contains("syntax error"), "{error}");
        assert!(matches!(compile("-w /tmp/x").await, Err(FilterError::Bad(_))));
        // `SKF_AD_OFF + SKF_AD_VLAN_TAG`: the tag that the kernel keeps beside the packet.
        let beside = |instruction: &(u16, u8, u8, u32)| instruction.3 == 0xffff_f02c;
        assert!(compile("vlan 100 and icmp").await.unwrap().ethernet.iter().any(beside));
        let filter = compile("ether host 02:00:00:00:00:01").await.unwrap();
        assert_eq!(filter.raw, None);
    }

    #[test]
    fn programs() {
        assert_eq!(parse("1\n6 0 0 262144\n").unwrap(), [(6, 0, 0, 262_144)]);
        assert_eq!(parse("2\n6 0 0 262144\n"), None);
        assert_eq!(parse("1\n6 0 0\n"), None);
        assert_eq!(parse(""), None);
    }
}
