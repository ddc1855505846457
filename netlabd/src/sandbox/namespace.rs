//! A lab's user namespace, and the network namespaces that belong to it.
//!
//! The user namespace maps a range of ids of its own, so root in one lab is nobody on the host and in every
//! other lab. Whoever has all capabilities inside it has none over what the host's user namespace owns. Its
//! owner is the first of these ids, so that what its processes take is counted for the lab and not for the
//! host's root. An owner has all power over the namespace from outside: nobody runs as that id there but the
//! helper that makes it, and threads of netlabd for a moment. See `user_namespaces(7)`.

use std::{
    fs,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    thread,
};

use rustix::{
    fs::{Mode, OFlags, open},
    io::Errno,
    ioctl,
    thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe},
};

use super::{
    ceilings::Ceilings,
    channel::{Channel, MAX_FDS},
    confine,
    error::{Error, Result, Step, errno},
    fork_client::fork_maker,
    helper::Helper,
    pin::{self, same_namespace},
    task::{At, Task, TaskError, done, request},
};
use crate::{
    sys::procfs::write_once,
    threads::{join, spawn_scoped},
};

/// The host's user and group ids that a lab's ids 0 to `count - 1` are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    /// First id on the host. Ranges of labs must not overlap, nor hold an id that the host uses.
    pub base: u32,
    /// How many ids; 65,536 is what programs expect.
    pub count: u32,
}

/// A lab's user namespace. It lives as long as this, a pin, or a namespace that it owns.
#[derive(Debug)]
pub struct UserNamespace(OwnedFd);

impl UserNamespace {
    /// Creates one that maps `ids` and allows no user namespace within. Blocks for about 2 ms.
    pub fn create(ids: IdRange) -> Result<Self> {
        Ok(Self::create_with(ids, Ceilings::default(), 0)?.0)
    }

    /// Creates one that takes no more than `ceilings`, and at once `n` network namespaces as
    /// [`Self::create_network_namespaces`] does.
    pub fn create_with(ids: IdRange, ceilings: Ceilings, n: usize) -> Result<(Self, Vec<OwnedFd>)> {
        let mut helper = fork_maker(Task::User)?;
        helper.send(&ceilings.encode(ids.base), &[])?;
        let fd = one(helper.done()?.1)?;
        // Mapped before anything else happens inside: a process there has ids only from here on.
        for file in ["uid_map", "gid_map"] {
            let path = format!("/proc/{}/{file}", helper.pid());
            write_once(&path, &format!("0 {} {}", ids.base, ids.count))
                .map_err(|errno| Step::MapIds.errno(errno))?;
        }
        let own = n.div_ceil(helpers(n));
        helper.send(&count(own)?, &[])?;
        helper.done()?;
        let user = Self(fd);
        let (mut made, others) = thread::scope(|scope| {
            let others = spawn_scoped(scope, || user.create_network_namespaces(n - own));
            (receive(helper, own), others.map_err(no_thread).and_then(join))
        });
        made.as_mut().map_or_else(|_| Ok(()), |made| others.map(|others| made.extend(others)))?;
        Ok((user, made?))
    }

    /// Opens the one pinned at `path`; `None` where no namespace is pinned.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        Ok(pin::open_pin(path)?.map(Self))
    }

    /// Creates `n` network namespaces that this one owns, with nothing but a `lo` that is down.
    /// Blocks for up to 1 ms each. The caller needs room for `n` open files.
    pub fn create_network_namespaces(&self, n: usize) -> Result<Vec<OwnedFd>> {
        if n == 0 {
            return Ok(Vec::new());
        }
        let share = n.div_ceil(helpers(n));
        let shares = (0..n).step_by(share).map(|first| share.min(n - first));
        let made: Vec<Result<Vec<OwnedFd>>> = thread::scope(|scope| {
            let makers: Vec<_> =
                shares.map(|share| spawn_scoped(scope, move || self.create_by_one_helper(share))).collect();
            makers.into_iter().map(|maker| maker.map_err(no_thread).and_then(join)).collect()
        });
        Ok(made.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn create_by_one_helper(&self, n: usize) -> Result<Vec<OwnedFd>> {
        let helper = fork_maker(Task::Networks)?;
        helper.send(&count(n)?, &[self.as_fd()])?;
        receive(helper, n)
    }

    /// Whether `netns` (or any other namespace that is not a user namespace) belongs to this one.
    pub fn owns(&self, netns: BorrowedFd<'_>) -> Result<bool> {
        let failed = |errno| Step::NamespaceOwner.errno(errno);
        let owner = match owner(netns) {
            Ok(owner) => owner,
            // The owner is outside what this process may see, so it is not one of ours.
            Err(Errno::PERM) => return Ok(false),
            Err(errno) => return Err(failed(errno)),
        };
        same_namespace(owner.as_fd(), self.as_fd()).map_err(failed)
    }
}

impl AsFd for UserNamespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Opens the user namespace that owns `namespace` (`NS_GET_USERNS` of `ioctl_nsfs(2)`).
#[expect(unsafe_code, reason = "rustix knows no nsfs requests")]
pub(super) fn owner(namespace: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    use std::os::fd::FromRawFd;

    const NS_GET_USERNS: ioctl::Opcode = ioctl::opcode::none(0xb7, 0x1);

    /// The request: no argument, answers with a new descriptor.
    struct GetOwner;

    // SAFETY: the request takes no argument (`as_ptr` is null) and a result that is not an error is
    // a new close-on-exec descriptor that nobody else owns.
    unsafe impl ioctl::Ioctl for GetOwner {
        type Output = OwnedFd;
        const IS_MUTATING: bool = false;
        fn opcode(&self) -> ioctl::Opcode {
            NS_GET_USERNS
        }
        fn as_ptr(&mut self) -> *mut std::ffi::c_void {
            std::ptr::null_mut()
        }
        unsafe fn output_from_ptr(
            fd: ioctl::IoctlOutput,
            _: *mut std::ffi::c_void,
        ) -> rustix::io::Result<OwnedFd> {
            // SAFETY: see the trait's implementation.
            Ok(unsafe { OwnedFd::from_raw_fd(fd) })
        }
    }

    // SAFETY: `GetOwner` describes the request truthfully; another kind of file answers ENOTTY.
    unsafe { ioctl::ioctl(namespace, GetOwner) }
}

/// How many helpers make `n` network namespaces: as many as there are processors, unless one is done
/// before another has started.
fn helpers(n: usize) -> usize {
    const WORTH_ONE: usize = 16;
    thread::available_parallelism().map_or(1, usize::from).min(n / WORTH_ONE).max(1)
}

fn count(n: usize) -> Result<[u8; 4]> {
    Ok(u32::try_from(n).map_err(|_| Step::NetworkNamespace.errno(Errno::INVAL))?.to_le_bytes())
}

/// A thread that waits for a helper cannot be had.
#[allow(clippy::needless_pass_by_value, reason = "fits map_err")]
fn no_thread(error: std::io::Error) -> Error {
    Step::StartHelper.errno(errno(error))
}

/// Takes the `n` namespaces that a helper makes.
fn receive(mut helper: Helper, n: usize) -> Result<Vec<OwnedFd>> {
    let mut made = Vec::with_capacity(n);
    while made.len() < n {
        let (_, fds) = helper.done()?;
        if fds.is_empty() {
            return Err(Error::HelperEnded("sent no namespace".into()));
        }
        made.extend(fds);
    }
    Ok(made)
}

/// The only descriptor of a packet that must hold one.
fn one(fds: Vec<OwnedFd>) -> Result<OwnedFd> {
    fds.into_iter().next().ok_or_else(|| Error::HelperEnded("sent no namespace".into()))
}

/// `unshare(2)` in the helper.
#[expect(unsafe_code, reason = "rustix marks it unsafe for CLONE_FILES")]
pub(super) fn unshare(flags: UnshareFlags) -> Result<(), Errno> {
    // SAFETY: no caller passes CLONE_FILES, and the helper has one thread.
    unsafe { unshare_unsafe(flags) }
}

/// Helper's task: become the first process of a new user namespace, hand it out, wait until ids are
/// mapped, close the door to further ones, and make as many network namespaces as asked.
pub(super) fn create(channel: &Channel) -> Result<(), TaskError> {
    let (bytes, []) = request(channel)?;
    let (first_id, ceilings) = Ceilings::decode(&bytes).ok_or((Step::Talk, Errno::INVAL))?;
    ceilings.limit()?;
    confine::become_owner(first_id)?;
    unshare(UnshareFlags::NEWUSER).at(Step::UserNamespace)?;
    let own = open_own("user")?;
    done(channel, 0, &[own.as_fd()])?;
    let (bytes, []) = request(channel)?;
    ceilings.write()?;
    // Read back, because what the kernel clamps or ignores is not an error of the write.
    let limit = "/proc/sys/user/max_user_namespaces";
    write_once(limit, "0").at(Step::ForbidUserNamespaces)?;
    match fs::read_to_string(limit).at(Step::ForbidUserNamespaces)?.trim() {
        "0" => done(channel, 0, &[])?,
        _ => return Err((Step::ForbidUserNamespaces, Errno::PERM)),
    }
    make_networks(channel, &bytes)
}

/// Helper's task: enter the user namespace it is given and make as many network namespaces as asked.
pub(super) fn create_networks(channel: &Channel) -> Result<(), TaskError> {
    let (bytes, [user]) = request(channel)?;
    enter(&user, LinkNameSpaceType::User).at(Step::EnterUserNamespace)?;
    make_networks(channel, &bytes)
}

/// Makes network namespaces, their number in four bytes, and hands them out.
fn make_networks(channel: &Channel, wanted: &[u8]) -> Result<(), TaskError> {
    let wanted = <[u8; 4]>::try_from(wanted).map_err(|_| (Step::Talk, Errno::INVAL))?;
    let mut left = u32::from_le_bytes(wanted) as usize;
    while left > 0 {
        let mut made = Vec::new();
        for _ in 0..left.min(MAX_FDS) {
            unshare(UnshareFlags::NEWNET).at(Step::NetworkNamespace)?;
            made.push(open_own("net")?);
        }
        left -= made.len();
        done(channel, 0, &made.iter().map(AsFd::as_fd).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// `setns(2)`, only into a namespace of the kind that is expected.
pub(super) fn enter(namespace: &OwnedFd, kind: LinkNameSpaceType) -> Result<(), Errno> {
    move_into_link_name_space(namespace.as_fd(), Some(kind))
}

/// Opens a namespace of this process by its name below `/proc/self/ns`.
pub(super) fn open_own(kind: &str) -> Result<OwnedFd, TaskError> {
    open(format!("/proc/self/ns/{kind}"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .at(Step::OpenNamespace)
}
