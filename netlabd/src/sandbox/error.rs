//! What can go wrong, and what to do about it.

use std::fmt;

use rustix::io::Errno;

/// Why the sandbox could not do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused one step.
    #[error("cannot {step}: {errno}{}", advice(*.step, *.errno))]
    Step {
        /// What was being done.
        step: Step,
        /// The kernel's answer.
        #[source]
        errno: Errno,
    },
    /// The same, where a file is at fault.
    #[error("cannot {step} {path}: {errno}{}", advice(*.step, *.errno))]
    Path {
        /// What was being done.
        step: Step,
        /// The file.
        path: String,
        /// The kernel's answer.
        #[source]
        errno: Errno,
    },
    /// The path already holds the pin of another namespace.
    #[error("{0} is in use by another mount; unmount it or choose another name")]
    PinTaken(String),
    /// The helper process was silent for too long and was ended.
    #[error("the helper process did not answer within {0} s; the machine may be overloaded, try again")]
    HelperTimeout(u64),
    /// The helper process ended, or spoke nonsense, instead of answering.
    #[error("the helper process {0}; the daemon's log may say why")]
    HelperEnded(String),
}

/// Result with this module's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The kernel's answer, where there is one.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Step { errno, .. } | Self::Path { errno, .. } => Some(*errno),
            _ => None,
        }
    }

    /// Whether the host had no process or thread to give for a helper: that passes.
    pub fn is_shortage(&self) -> bool {
        matches!(self, Self::Step { step: Step::StartHelper, errno: Errno::AGAIN })
    }
}

/// Defines the steps with their wire codes and the words that follow "cannot".
macro_rules! steps {
    ($($name:ident = $code:literal $text:literal,)*) => {
        /// One step towards a namespace or a command. The helper names it by its code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each one's Display says what it is")]
        #[repr(i32)]
        pub enum Step { $($name = $code,)* }

        impl Step {
            /// The step of a wire code; `None` for an unknown one.
            pub(super) fn from_code(code: i32) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
        }

        impl fmt::Display for Step {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$name => $text,)* })
            }
        }
    };
}

steps! {
    StartHelper = 1 "start the helper process",
    Talk = 2 "talk to the helper process",
    Prepare = 3 "prepare the helper process",
    UserNamespace = 4 "create the lab's user namespace",
    MapIds = 5 "map user and group ids into the lab's user namespace",
    ForbidUserNamespaces = 6 "forbid further user namespaces inside the lab",
    EnterUserNamespace = 7 "enter the lab's user namespace",
    NetworkNamespace = 8 "create a network namespace",
    OpenNamespace = 9 "open a namespace",
    NamespaceOwner = 10 "find the owner of a namespace",
    PinDirectory = 11 "prepare the directory of pins",
    Pin = 12 "pin a namespace at",
    Unpin = 13 "remove the pin",
    OpenPin = 14 "open the pin",
    ProcessNamespace = 15 "create the lab's process namespace",
    EnterProcessNamespace = 16 "enter the lab's process namespace",
    EnterNetworkNamespace = 17 "enter the node's network namespace",
    Fork = 18 "fork",
    FindInit = 19 "find the lab's init",
    EndInit = 20 "end the lab's processes",
    JoinCgroup = 21 "join the lab's cgroup",
    Session = 22 "start a session",
    Unshare = 23 "create the command's own namespaces",
    HostName = 24 "set the host name",
    SeparateMounts = 25 "separate the command's mounts from the host's",
    NodeFiles = 26 "put the node's /etc/hosts and /etc/resolv.conf in place",
    ReadOnly = 27 "make the command's mounts read-only",
    Mount = 28 "mount the command's own /sys, /proc, /dev and temporary directories",
    Identity = 29 "become the lab's root",
    Capabilities = 30 "drop capabilities",
    Seccomp = 31 "set the system call filter",
    Limits = 32 "set the command's resource limits",
    WorkingDirectory = 33 "change to the working directory",
    Execute = 34 "execute the command",
    Wait = 35 "wait for the command",
    Streams = 36 "make the command's streams",
    Kill = 37 "send a signal to the command",
    Terminal = 38 "open a terminal",
    Rings = 39 "bound the lab's packet rings",
    RuntimeDirectory = 40 "mount the node's /run at",
    EndProcesses = 60 "end the node's processes",
}

impl Step {
    /// Attaches the kernel's answer.
    pub(super) fn errno(self, errno: Errno) -> Error {
        Error::Step { step: self, errno }
    }

    /// Attaches the file at fault and the kernel's answer.
    pub(super) fn path(self, path: &std::path::Path, errno: Errno) -> Error {
        Error::Path { step: self, path: path.display().to_string(), errno }
    }
}

/// The kernel's number in an error of the standard library; `EIO` for one that has none.
#[allow(clippy::needless_pass_by_value, reason = "fits map_err")]
pub(super) fn errno(error: std::io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

/// What to do, in words that follow the error.
fn advice(step: Step, errno: Errno) -> &'static str {
    match (step, errno) {
        (Step::UserNamespace, Errno::NOSPC | Errno::USERS) => {
            ": the limit user.max_user_namespaces is reached, raise it with sysctl"
        }
        (Step::NetworkNamespace, Errno::NOSPC | Errno::USERS) => {
            ": the limit user.max_net_namespaces is reached, raise it with sysctl or delete labs"
        }
        (Step::UserNamespace, Errno::ROFS) => {
            ": /proc/sys is read-only, as in many containers; mount it writable, or run netlabd outside"
        }
        (Step::UserNamespace, Errno::INVAL) => ": the kernel lacks CONFIG_USER_NS",
        (Step::NetworkNamespace, Errno::INVAL) => ": the kernel lacks CONFIG_NET_NS",
        (Step::UserNamespace, Errno::PERM | Errno::ACCESS) => {
            ": netlabd needs CAP_SYS_ADMIN, and no security policy (AppArmor, SELinux) or chroot may forbid user namespaces"
        }
        (Step::MapIds, Errno::PERM) => {
            ": netlabd needs CAP_SETUID and CAP_SETGID, and the range must be within its own user namespace"
        }
        (Step::NetworkNamespace | Step::Pin | Step::Unpin | Step::PinDirectory, Errno::PERM) => {
            ": netlabd needs CAP_SYS_ADMIN"
        }
        (Step::Fork | Step::FindInit, Errno::NOMEM) => ": the lab's init has ended, try again",
        (Step::Fork | Step::Execute, Errno::AGAIN) => {
            ": the lab has as many processes as it may (pids_max in netlabd's configuration); end some, or delete the lab"
        }
        (Step::StartHelper, Errno::AGAIN) => {
            ": no more processes can be started on this host (pids.max, kernel.threads-max)"
        }
        (Step::ProcessNamespace, Errno::NOSPC | Errno::USERS) => {
            ": the limit user.max_pid_namespaces is reached, raise it with sysctl"
        }
        (Step::Unshare, Errno::NOSPC | Errno::USERS) => {
            ": a limit user.max_{mnt,ipc,uts}_namespaces is reached, raise it with sysctl"
        }
        (Step::Terminal, Errno::NOSPC | Errno::AGAIN) => {
            ": all terminals of the kernel are in use; end shells, raise kernel.pty.max, or run the command without one (-T)"
        }
        (Step::ReadOnly | Step::Mount, Errno::NOSYS) => ": the kernel lacks mount_setattr(2), Linux 5.12",
        (_, Errno::MFILE) => ": netlabd has too many open files, raise its limit (LimitNOFILE=)",
        (_, Errno::NOMEM) => ": the kernel is out of memory",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_survives_the_wire() {
        for code in 1..=39 {
            assert_eq!(Step::from_code(code).map(|step| step as i32), Some(code));
        }
        assert_eq!(Step::from_code(0), None);
    }

    #[test]
    fn a_full_limit_is_named() {
        let text = Step::NetworkNamespace.errno(Errno::NOSPC).to_string();
        assert!(text.contains("No space left") && text.contains("user.max_net_namespaces"), "{text}");
    }
}
