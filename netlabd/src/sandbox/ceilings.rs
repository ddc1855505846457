//! What a lab as a whole may take of things that the kernel counts by user: inotify, fanotify, pending signals,
//! message queues and, where no cgroup does it, processes.
//!
//! What the processes of a user namespace take is counted for each of their ids in it, and once more for the user
//! who made it (`kernel/ucount.c`). A lab's namespace is made by the first of the lab's own ids: so what a lab takes
//! is counted for the lab, and never for the host's root. Of resource limits, those in force when it is made are
//! what the lab as a whole may have (`create_user_ns` in `kernel/user_namespace.c`); `user.*` (`namespaces(7)`)
//! bounds each id in the lab, and the host's own limits of one user (`fs.inotify.max_user_instances`) the whole.

use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use super::{
    error::Step,
    task::{At, TaskError},
};
use crate::sys::procfs::write_once;

/// What a lab as a whole may take. Applies to user namespaces that are made from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ceilings {
    /// Processes and threads; `u64::MAX` where something else bounds them.
    pub processes: u64,
    /// Signals that wait to be delivered, and timers (`RLIMIT_SIGPENDING`).
    pub pending_signals: u64,
    /// Bytes of POSIX message queues (`RLIMIT_MSGQUEUE`).
    pub message_queues: u64,
    /// Instances of inotify(7) of one id.
    pub inotify_instances: u64,
    /// Watches of inotify(7) of one id.
    pub inotify_watches: u64,
    /// Groups of fanotify(7) of one id.
    pub fanotify_groups: u64,
    /// Marks of fanotify(7) of one id.
    pub fanotify_marks: u64,
}

/// What the kernel gives any user, or less.
impl Default for Ceilings {
    fn default() -> Self {
        Self {
            processes: u64::MAX,
            pending_signals: 4_096,
            message_queues: 819_200,
            inotify_instances: 128,
            inotify_watches: 16_384,
            fanotify_groups: 16,
            fanotify_marks: 1_024,
        }
    }
}

/// How many numbers travel to the helper.
const NUMBERS: usize = 7;

impl Ceilings {
    fn numbers(self) -> [u64; NUMBERS] {
        [
            self.processes,
            self.pending_signals,
            self.message_queues,
            self.inotify_instances,
            self.inotify_watches,
            self.fanotify_groups,
            self.fanotify_marks,
        ]
    }

    /// As the helper reads it, after the first id of the lab.
    pub(super) fn encode(self, first_id: u32) -> Vec<u8> {
        let numbers = [u64::from(first_id)].into_iter().chain(self.numbers());
        numbers.flat_map(u64::to_le_bytes).collect()
    }

    /// The first id of the lab, and what it may take; `None` for other bytes.
    pub(super) fn decode(bytes: &[u8]) -> Option<(u32, Self)> {
        let (numbers, []) = bytes.as_chunks::<8>() else { return None };
        let numbers = numbers.iter().map(|number| u64::from_le_bytes(*number)).collect::<Vec<_>>();
        let [
            first_id,
            processes,
            pending_signals,
            message_queues,
            inotify_instances,
            inotify_watches,
            fanotify_groups,
            fanotify_marks,
        ] = <[u64; NUMBERS + 1]>::try_from(numbers).ok()?;
        let ceilings = Self {
            processes,
            pending_signals,
            message_queues,
            inotify_instances,
            inotify_watches,
            fanotify_groups,
            fanotify_marks,
        };
        Some((u32::try_from(first_id).ok()?, ceilings))
    }

    /// Before the namespace is made: the limits in force then are its own.
    pub(super) fn limit(self) -> Result<(), TaskError> {
        for (resource, most) in [
            (Resource::Nproc, self.processes),
            (Resource::Sigpending, self.pending_signals),
            (Resource::Msgqueue, self.message_queues),
        ] {
            let most = getrlimit(resource).maximum.map_or(most, |now| most.min(now));
            let most = Some(most).filter(|most| *most != u64::MAX);
            setrlimit(resource, Rlimit { current: most, maximum: most }).at(Step::Limits)?;
        }
        Ok(())
    }

    /// Within the namespace, as its root: what one id may have.
    pub(super) fn write(self) -> Result<(), TaskError> {
        for (name, most) in [
            ("inotify_instances", self.inotify_instances),
            ("inotify_watches", self.inotify_watches),
            ("fanotify_groups", self.fanotify_groups),
            ("fanotify_marks", self.fanotify_marks),
        ] {
            match write_once(&format!("/proc/sys/user/max_{name}"), &most.to_string()) {
                // A kernel without that feature.
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err((Step::Limits, errno)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_the_wire() {
        let ceilings = Ceilings { processes: 7, fanotify_marks: 9, ..Ceilings::default() };
        assert_eq!(Ceilings::decode(&ceilings.encode(0x7000_0000)), Some((0x7000_0000, ceilings)));
        assert_eq!(Ceilings::decode(b"short"), None);
        assert_eq!(Ceilings::decode(&[0; 128]), None);
    }
}
