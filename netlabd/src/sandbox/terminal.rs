//! The daemon's side of a command's terminal, for tokio.

use std::{io, os::fd::OwnedFd};

use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::{Errno, read, write},
};
use tokio::io::unix::AsyncFd;

/// A pty master.
#[derive(Debug)]
pub struct Terminal(AsyncFd<OwnedFd>);

impl Terminal {
    /// Hands a pty master to the runtime.
    #[expect(unsafe_code, reason = "tokio asks the caller to vouch for the descriptor")]
    pub fn new(master: OwnedFd) -> io::Result<Self> {
        fcntl_setfl(&master, fcntl_getfl(&master)? | OFlags::NONBLOCK)?;
        // SAFETY: an `OwnedFd` always answers the one descriptor that it keeps open.
        Ok(Self(unsafe { AsyncFd::register(master) }?))
    }

    /// Reads what the command wrote; 0 when it and all its children have let go of the terminal.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.0.readable().await?;
            match ready.try_io(|fd| Ok(read(fd, &mut *buffer)?)) {
                Ok(Err(error)) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => return Ok(0),
                Ok(done) => return done,
                Err(_) => {}
            }
        }
    }

    /// Writes all bytes, as fast as the command reads them.
    pub async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let mut ready = self.0.writable().await?;
            if let Ok(done) = ready.try_io(|fd| Ok(write(fd, bytes)?)) {
                bytes = &bytes[done?..];
            }
        }
        Ok(())
    }
}
