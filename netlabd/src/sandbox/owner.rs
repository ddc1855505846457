//! The power over a lab that the owner of its user namespace has (`user_namespaces(7)`).
//!
//! The owner is an id of the lab's own, which nobody on the host has. netlabd keeps no capability to signal others'
//! processes; for a lab's it becomes the owner, on a thread that ends right after.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::{
    io::Errno,
    thread::{Uid, set_thread_res_uid},
};

use super::error::errno;
use crate::threads;

/// Does `work` as the user `owner`; a failure of the work, or the reason why it cannot be done.
pub(super) fn as_owner<T: Send>(
    owner: Uid,
    work: impl FnOnce() -> Result<T, Errno> + Send + Clone,
) -> Result<T, Errno> {
    let become_owner_and_work = || {
        // The system call, and so for this thread alone. The real id stays: the thread is nobody's to signal.
        set_thread_res_uid(Uid::ROOT, owner, Uid::ROOT)?;
        work()
    };
    threads::aside(become_owner_and_work).map_err(errno)?
}

/// Who owns the user namespace that `namespace` (one that is no user namespace) belongs to
/// (`NS_GET_USERNS`, `NS_GET_OWNER_UID` of `ioctl_nsfs(2)`).
pub(super) fn owner_of(namespace: BorrowedFd<'_>) -> Result<Uid, Errno> {
    owner_uid(&super::namespace::owner(namespace)?)
}

#[expect(unsafe_code, reason = "rustix knows no nsfs requests")]
fn owner_uid(user: &OwnedFd) -> Result<Uid, Errno> {
    use rustix::ioctl;

    const NS_GET_OWNER_UID: ioctl::Opcode = ioctl::opcode::none(0xb7, 0x4);
    // SAFETY: the request writes one `uid_t`; another kind of file answers ENOTTY.
    let uid: u32 = unsafe { ioctl::ioctl(user, ioctl::Getter::<NS_GET_OWNER_UID, u32>::new()) }?;
    Ok(Uid::from_raw(uid))
}
