//! A command's standard streams: pipes or a terminal that the daemon makes, never the caller's own.

use std::os::fd::OwnedFd;

use rustix::{
    fs::{Gid, Mode, OFlags, Uid, fchown, open},
    io::Errno,
    pipe::{PipeFlags, pipe_with},
    pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use super::namespace::IdRange;

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

/// The daemon's ends: standard input, output, error.
pub(super) type Ours = [Option<OwnedFd>; 3];

/// Makes both ends of the command's streams. The lab's root owns them, so that the command can open
/// them again as /dev/stdout. A terminal is not made here, but where the command is; see [`terminal`].
pub(super) fn make(kind: Streams, ids: IdRange) -> Result<(Vec<OwnedFd>, Ours), Errno> {
    let give = |fd: &OwnedFd| fchown(fd, Some(Uid::from_raw(ids.base)), Some(Gid::from_raw(ids.base)));
    match kind {
        Streams::Pipes => {
            let pipe = || pipe_with(PipeFlags::CLOEXEC);
            let ((stdin, write), (out, stdout), (err, stderr)) = (pipe()?, pipe()?, pipe()?);
            let theirs = vec![stdin, stdout, stderr];
            theirs.iter().try_for_each(give)?;
            Ok((theirs, [Some(write), Some(out), Some(err)]))
        }
        Streams::Terminal(_) => Ok((Vec::new(), [None, None, None])),
        Streams::Detached => {
            let null = || open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
            Ok((vec![null()?, null()?, null()?], [None, None, None]))
        }
    }
}

/// Opens a terminal of the command's own `/dev/pts`: the daemon's side and the command's, which belongs to who calls.
pub(super) fn terminal(size: WindowSize) -> Result<(OwnedFd, OwnedFd), Errno> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags)?;
    unlockpt(&master)?;
    resize(&master, size)?;
    let slave = ioctl_tiocgptpeer(&master, flags)?;
    Ok((master, slave))
}

/// Sets a terminal's size; its foreground process group gets SIGWINCH.
pub(super) fn resize(terminal: &OwnedFd, size: WindowSize) -> Result<(), Errno> {
    let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size)
}
