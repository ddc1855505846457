//! A command's standard streams: pipes or a terminal that netlabd makes, never the caller's own.

use std::os::fd::OwnedFd;

use rustix::{
    fs::{Mode, OFlags, open},
    io::Errno,
    pipe::{PipeFlags, pipe_with},
    pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

/// Size of a terminal in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSize {
    /// Lines.
    pub rows: u16,
    /// Columns.
    pub columns: u16,
}

/// What a command's standard streams are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streams {
    /// Three pipes. The command's process group ends with the [`Child`].
    Pipes,
    /// A terminal (`pty(7)`). The command's process group ends with the [`Child`].
    Terminal(WindowSize),
    /// `/dev/null`. The command runs on without the [`Child`], until the lab ends.
    Detached,
}

/// Both ends of a command's streams.
pub(super) struct Ends {
    /// Standard input, output and error.
    pub(super) theirs: [OwnedFd; 3],
    /// What the daemon gets: the other ends of three pipes, a terminal's other side, or nothing.
    pub(super) ours: Vec<OwnedFd>,
}

/// Makes the streams, by the lab's root in the command's own view: they are his, so that the command can open them again as
/// /dev/stdout or /dev/tty, and count for the lab.
pub(super) fn make(kind: Streams) -> Result<Ends, Errno> {
    match kind {
        Streams::Pipes => {
            let pipe = || pipe_with(PipeFlags::CLOEXEC);
            let ((stdin, write), (out, stdout), (err, stderr)) = (pipe()?, pipe()?, pipe()?);
            Ok(Ends { theirs: [stdin, stdout, stderr], ours: vec![write, out, err] })
        }
        Streams::Terminal(size) => {
            let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
            let master = openpt(flags)?;
            unlockpt(&master)?;
            resize(&master, size)?;
            let slave = || ioctl_tiocgptpeer(&master, flags);
            Ok(Ends { theirs: [slave()?, slave()?, slave()?], ours: vec![master] })
        }
        Streams::Detached => {
            let null = || open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
            Ok(Ends { theirs: [null()?, null()?, null()?], ours: Vec::new() })
        }
    }
}

/// Sets a terminal's size; its foreground process group gets SIGWINCH.
pub(super) fn resize(terminal: &OwnedFd, size: WindowSize) -> Result<(), Errno> {
    let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size)
}
