//! A daemon on another machine, through the user's own ssh(1): its keys, its config, its jump hosts.

use std::{
    env, io,
    net::Ipv6Addr,
    os::unix::process::ExitStatusExt as _,
    pin::Pin,
    process::{ExitStatus, Stdio},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader, ReadBuf},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};
use tonic::transport::{Channel, Endpoint};

use super::channel::{Greeting, greeting, over};
use crate::error::{Failure, NO_DAEMON, NOT_PERMITTED};

/// How long an ssh that has closed its output may take to end; its exit code says why it did.
const END: Duration = Duration::from_secs(1);

/// `[user@]host[:port]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    destination: String,
    port: Option<u16>,
    /// Whether it may ask for a password.
    asks: bool,
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
        let port = match port {
            Some(text) => Some(super::port(text)?),
            None => None,
        };
        // A word that begins with '-' would be an option of ssh.
        let good = |word: &str| {
            !word.is_empty()
                && !word.starts_with('-')
                && word.chars().all(|c| c.is_ascii_alphanumeric() || "._-:%".contains(c))
        };
        let one_reading = if host.contains(':') {
            // With the zone of a link-local address.
            host.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
        } else {
            super::has_one_reading(host)
        };
        if !good(host) || !user.is_none_or(good) || !one_reading {
            return None;
        }
        let destination = user.map_or_else(|| host.to_owned(), |user| format!("{user}@{host}"));
        Some(Self { destination, port, asks: true })
    }

    /// The same, but whether it may ask for a password.
    pub(super) fn asking(self, asks: bool) -> Self {
        Self { asks, ..self }
    }

    fn spawn(&self) -> io::Result<Pipe> {
        let mut command = Command::new("ssh");
        command.arg("-T");
        if !(self.asks && can_ask()) {
            // Without anybody to answer, a question would be an error that says less.
            command.args(["-o", "BatchMode=yes"]);
        }
        if let Some(port) = self.port {
            command.arg("-p").arg(port.to_string());
        }
        command.args(["--", &self.destination, "netlabctl", "dial-stdio"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        deaf_to_the_terminal(&mut command);
        let mut child = command.spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Pipe { input, output, destination: self.destination.clone(), end: End::Runs(child) })
    }

    /// Runs ssh until netlabd has said its first word; what goes wrong before has the clearest reasons.
    async fn dial(&self) -> Result<Stream, Failure> {
        let pipe = self.spawn().map_err(|error| {
            Failure::new(NO_DAEMON, format!("cannot run ssh: {error}; install the OpenSSH client"))
        })?;
        match greeting(pipe).await {
            Ok(Greeting::Settings(stream)) => Ok(stream),
            // ssh's end is an error of the pipe, so it is never closed without a word.
            Ok(Greeting::Noise | Greeting::Closed) => {
                let message = format!(
                    "something on {} writes to ssh's output before netlabctl does; look at its shell's start files \
                     (.bashrc)",
                    self.destination
                );
                Err(Failure::new(NO_DAEMON, message))
            }
            Err(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<Ended>()) {
                Some(ended) => Err(Failure::new(ended.code(), ended.to_string())),
                None => Err(Failure::new(NO_DAEMON, format!("ssh to {}: {error}", self.destination))),
            },
        }
    }
}

/// Whether ssh can ask for a password: at a terminal, or by a program of its own (`SSH_ASKPASS`, ssh(1)).
fn can_ask() -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    std::fs::File::open("/dev/tty").is_ok() || set("SSH_ASKPASS") || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

/// Ctrl-C at the terminal is for the command in the node. It reaches all programs there, and would end ssh,
/// which has to carry it.
#[expect(unsafe_code, reason = "no safe way to ignore a signal in a child alone")]
fn deaf_to_the_terminal(command: &mut Command) {
    let ignore = || {
        for signal in [libc::SIGINT, libc::SIGQUIT] {
            // SAFETY: signal(2) with SIG_IGN installs no function.
            if unsafe { libc::signal(signal, libc::SIG_IGN) } == libc::SIG_ERR {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: between fork and exec, only signal(2) is called, which is async-signal-safe (signal-safety(7)).
    unsafe { command.pre_exec(ignore) };
}

/// Connects a channel through ssh. The first dial is ours, for its error; the channel dials again by itself
/// where the connection broke.
pub(super) async fn connect(endpoint: &Endpoint, target: Target) -> Result<Channel, Failure> {
    let first = target.dial().await?;
    let stranger = format!("what answers on {} is not netlabd", target.destination);
    let again = move || {
        let target = target.clone();
        async move { target.dial().await.map_err(|failure| io::Error::other(failure.text())) }
    };
    over(endpoint, first, again, stranger).await
}

/// The connection, with what was read of it to see that it is one.
type Stream = BufReader<Pipe>;

/// The pipes of a running ssh, as one stream. ssh ends with it.
struct Pipe {
    input: ChildStdin,
    output: ChildStdout,
    destination: String,
    end: End,
}

/// ssh's end, which says why there is no more to read.
enum End {
    Runs(Child),
    Awaited(Pin<Box<dyn Future<Output = Option<ExitStatus>> + Send>>),
}

impl Pipe {
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            match &mut self.end {
                End::Awaited(end) => {
                    let status = ready!(end.as_mut().poll(context));
                    // Asked again, it is over all the same.
                    self.end = End::Awaited(Box::pin(std::future::ready(status)));
                    let destination = self.destination.clone();
                    return Poll::Ready(io::Error::other(Ended { destination, status }));
                }
                End::Runs(_) => {
                    let nothing = End::Awaited(Box::pin(std::future::ready(None)));
                    if let End::Runs(mut child) = std::mem::replace(&mut self.end, nothing) {
                        let status = async move { timeout(END, child.wait()).await.ok()?.ok() };
                        self.end = End::Awaited(Box::pin(status));
                    }
                }
            }
        }
    }
}

/// ssh has ended, or at least closed its output.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.why())]
struct Ended {
    destination: String,
    status: Option<ExitStatus>,
}

impl Ended {
    /// ssh gives the exit code of the far netlabctl, and 255 for itself. Both have said more on stderr.
    fn why(&self) -> String {
        let to = &self.destination;
        let status = self.status.unwrap_or_default();
        match (status.code(), status.signal()) {
            (Some(255), _) => format!("ssh cannot reach {to}, or has lost it (exit code 255)"),
            (Some(126 | 127), _) => {
                format!("netlabctl cannot be run on {to}: install it there, in the PATH of commands by ssh")
            }
            (Some(2), _) => format!("netlabctl on {to} does not know dial-stdio: upgrade it"),
            (Some(3), _) => format!("no netlabd reached on {to}; is it running there?"),
            (Some(6), _) => format!("netlabd on {to} does not let you in; join its group netlab there"),
            (Some(0), _) => format!("the connection to {to} was closed"),
            (Some(code), _) => format!("ssh to {to} ended with exit code {code}"),
            (None, signal) => format!("ssh to {to} was ended by signal {}", signal.unwrap_or_default()),
        }
    }

    fn code(&self) -> u8 {
        if self.status.and_then(|status| status.code()) == Some(6) { NOT_PERMITTED } else { NO_DAEMON }
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.output).poll_read(context, buffer))?;
        if buffer.filled().len() == before && buffer.remaining() > 0 {
            return self.poll_end(context).map(Err);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match ready!(Pin::new(&mut self.input).poll_write(context, bytes)) {
            // ssh has ended. HTTP/2 drops the reasons of writes, so the read says why.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Poll::Ready(Ok(bytes.len())),
            written => Poll::Ready(written),
        }
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn the_read_says_why_ssh_has_ended_even_after_a_write() {
        let mut command = Command::new("sh");
        command.args(["-c", "exec 0<&-; echo closed; sleep 0.1; exit 255"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = child.stdin.take().zip(child.stdout.take()).unwrap();
        let mut pipe = Pipe { input, output, destination: "box".into(), end: End::Runs(child) };
        let mut said = [0; 7];
        pipe.read_exact(&mut said).await.unwrap();
        pipe.write_all(b"to nobody").await.unwrap();
        pipe.flush().await.unwrap();
        let error = pipe.read_u8().await.unwrap_err();
        assert_eq!(error.to_string(), "ssh cannot reach box, or has lost it (exit code 255)");
    }

    #[test]
    fn destinations_are_taken_apart() {
        let target =
            |destination: &str, port| Some(Target { destination: destination.to_owned(), port, asks: true });
        assert_eq!(Target::parse("box"), target("box", None));
        assert_eq!(Target::parse("me@box:2222"), target("me@box", Some(2222)));
        assert_eq!(Target::parse("me@[2001:db8::1]:22"), target("me@2001:db8::1", Some(22)));
        for bad in ["", "-oProxyCommand=x", "me@-x", "box:x", "box:70000", "a b", "@box", "box/path"] {
            assert_eq!(Target::parse(bad), None, "{bad}");
        }
    }
}
