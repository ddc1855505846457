//! The local terminal: its size, and raw mode, which ends with its guard on every way out.

use std::io;

use netlab_proto::v1::WindowSize;
use rustix::{
    stdio::{stdin, stdout},
    termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr},
};

/// The size told where there is no terminal to ask.
const FALLBACK: WindowSize = WindowSize { rows: 24, columns: 80 };

/// Whether a person sits at both ends.
pub(super) fn interactive() -> bool {
    isatty(stdin()) && isatty(stdout())
}

/// The terminal's size.
pub(super) fn size() -> WindowSize {
    match tcgetwinsize(stdout()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => {
            WindowSize { rows: size.ws_row.into(), columns: size.ws_col.into() }
        }
        _ => FALLBACK,
    }
}

/// Raw mode of the standard input: keys go to the node as they are, Ctrl-C among them.
pub(super) struct Raw(Termios);

impl Raw {
    /// Enters raw mode; `None` where the standard input is no terminal.
    pub(super) fn enter() -> io::Result<Option<Self>> {
        if !isatty(stdin()) {
            return Ok(None);
        }
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        Ok(Some(Self(before)))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Nothing can be done where the terminal itself is gone.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}
