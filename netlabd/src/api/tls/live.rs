//! The connections of remote clients that are open, so that they can be ended.

use std::{
    collections::HashMap,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
};

use rustix::net::{Shutdown, shutdown};
use rustls::pki_types::CertificateDer;

use crate::policy::Caller;

/// All of them. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Live(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    open: HashMap<u64, Session>,
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Session {
    /// The client's certificate, and those that lead to its authority.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// Who it was taken for.
    pub(super) caller: Caller,
    /// The same socket once more: to end it from here.
    socket: OwnedFd,
}

impl Session {
    /// Of a socket.
    pub(super) fn new(
        socket: impl AsFd,
        chain: Vec<CertificateDer<'static>>,
        caller: Caller,
    ) -> std::io::Result<Self> {
        Ok(Self { chain, caller, socket: socket.as_fd().try_clone_to_owned()? })
    }
}

impl Live {
    /// Adds a connection, until the result is dropped.
    pub(super) fn add(&self, session: Session) -> Listed {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = state.next;
        state.next += 1;
        state.open.insert(number, session);
        Listed { number, live: self.clone() }
    }

    /// Ends the connections that `judge` has something against; it says what.
    pub(super) fn end(&self, judge: impl Fn(&Session) -> Option<String>) {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for session in state.open.values() {
            if let Some(why) = judge(session) {
                tracing::warn!(caller = %session.caller, why, "a remote client's connection is ended");
                // One that is closed already needs no ending.
                let _ = shutdown(&session.socket, Shutdown::Both);
            }
        }
    }
}

/// A place among the open connections.
#[derive(Debug)]
pub(in crate::api) struct Listed {
    number: u64,
    live: Live,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.live.0.lock().unwrap_or_else(PoisonError::into_inner).open.remove(&self.number);
    }
}
