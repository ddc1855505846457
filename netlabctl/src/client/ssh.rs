//! A daemon on another machine, through the user's own ssh(1): its keys, its config, its jump hosts.

use std::{
    io,
    pin::Pin,
    process::Stdio,
    task::{Context, Poll},
};

use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    process::{Child, ChildStdin, ChildStdout, Command},
};
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::error::{Failure, NO_DAEMON, root_cause};

/// `[user@]host[:port]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    destination: String,
    port: Option<u16>,
}

impl Target {
    /// Parses what follows `ssh://`. IPv6 addresses stand in brackets.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let (user, host) = match text.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, text),
        };
        let (host, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':')?)),
            None => host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map(str::parse).transpose().ok()?;
        // A word that begins with '-' would be an option of ssh.
        let good = |word: &str| {
            !word.is_empty()
                && !word.starts_with('-')
                && word.chars().all(|c| c.is_ascii_alphanumeric() || "._-:%".contains(c))
        };
        if !good(host) || !user.is_none_or(good) {
            return None;
        }
        let destination = user.map_or_else(|| host.to_owned(), |user| format!("{user}@{host}"));
        Some(Self { destination, port })
    }

    fn spawn(&self) -> io::Result<Pipe> {
        let mut command = Command::new("ssh");
        command.arg("-T");
        if let Some(port) = self.port {
            command.arg("-p").arg(port.to_string());
        }
        command.args(["--", &self.destination, "netlabctl", "dial-stdio"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Pipe { input, output, _child: child })
    }
}

/// Connects a channel through ssh. Why ssh cannot reach the other machine it says itself, on stderr.
pub(super) async fn connect(endpoint: &Endpoint, target: Target) -> Result<Channel, Failure> {
    let mut first = Some(target.spawn().map_err(|error| {
        Failure::new(NO_DAEMON, format!("cannot run ssh: {error}; install the OpenSSH client"))
    })?);
    let connector = service_fn(move |_: Uri| {
        let pipe = first.take().map_or_else(|| target.spawn(), Ok).map(TokioIo::new);
        async move { pipe }
    });
    endpoint.connect_with_connector(connector).await.map_err(|error| Failure::lost(&root_cause(&error)))
}

/// The pipes of a running ssh, as one stream. ssh ends with it.
struct Pipe {
    input: ChildStdin,
    output: ChildStdout,
    _child: Child,
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.output).poll_read(context, buffer)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.input).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_taken_apart() {
        let target = |destination: &str, port| Some(Target { destination: destination.to_owned(), port });
        assert_eq!(Target::parse("box"), target("box", None));
        assert_eq!(Target::parse("me@box:2222"), target("me@box", Some(2222)));
        assert_eq!(Target::parse("me@[2001:db8::1]:22"), target("me@2001:db8::1", Some(22)));
        for bad in ["", "-oProxyCommand=x", "me@-x", "box:x", "box:70000", "a b", "@box", "box/path"] {
            assert_eq!(Target::parse(bad), None, "{bad}");
        }
    }
}
