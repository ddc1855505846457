//! Capture filters: pcap-filter(7) expressions, compiled by tcpdump.
//!
//! tcpdump's `-ddd` prints the program in numbers. It runs without privileges; the daemon stays free
//! of libpcap and its parser.

use std::time::Duration;

use tokio::process::Command;

/// Longest expression in bytes.
const MAX_LENGTH: usize = 4_096;
/// A compilation takes milliseconds.
const TIMEOUT: Duration = Duration::from_secs(5);
/// `nobody`.
const NOBODY: u32 = 65_534;

/// A program for `SO_ATTACH_FILTER`, in the layout of `struct sock_filter`: code, jt, jf, k.
/// Empty: everything passes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter(pub(super) Vec<(u16, u8, u8, u32)>);

/// Why an expression cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// It is no filter; in tcpdump's words.
    #[error("{0}; see pcap-filter(7)")]
    Bad(String),
    /// There is no tcpdump, or it does not answer.
    #[error("cannot compile the filter: tcpdump: {0}; install it on the host of netlabd")]
    Tool(std::io::Error),
}

/// Compiles an expression for Ethernet frames.
pub async fn compile(expression: &str) -> Result<Filter, FilterError> {
    if expression.trim().is_empty() {
        return Ok(Filter::default());
    }
    if expression.len() > MAX_LENGTH || expression.contains('\0') {
        return Err(FilterError::Bad(format!("a filter has at most {MAX_LENGTH} bytes and no NUL")));
    }
    let mut command = Command::new("tcpdump");
    command
        .args(["-y", "EN10MB", "-ddd", "--", expression])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(TIMEOUT, command.output())
        .await
        .map_err(|_| FilterError::Tool(std::io::ErrorKind::TimedOut.into()))?
        .map_err(FilterError::Tool)?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let line = text.lines().find(|line| !line.is_empty()).unwrap_or("it is not a filter");
        return Err(FilterError::Bad(line.trim_start_matches("tcpdump: ").to_owned()));
    }
    parse(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| FilterError::Bad("tcpdump printed no program".into()))
}

/// The output of `-ddd`: the number of instructions, then one a line.
fn parse(text: &str) -> Option<Filter> {
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
    let program: Vec<_> = lines.map(instruction).collect::<Option<_>>()?;
    (program.len() == count && count > 0).then_some(Filter(program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn expressions() {
        assert_eq!(compile(" ").await.unwrap(), Filter::default());
        assert!(!compile("tcp port 80").await.unwrap().0.is_empty());
        let error = compile("tcp prot 80").await.unwrap_err().to_string();
        assert!(error.contains("syntax error"), "{error}");
        assert!(matches!(compile("-w /tmp/x").await, Err(FilterError::Bad(_))));
    }

    #[test]
    fn programs() {
        assert_eq!(parse("1\n6 0 0 262144\n").unwrap().0, [(6, 0, 0, 262_144)]);
        assert_eq!(parse("2\n6 0 0 262144\n"), None);
        assert_eq!(parse("1\n6 0 0\n"), None);
        assert_eq!(parse(""), None);
    }
}
