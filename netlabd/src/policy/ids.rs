//! Which user and group ids labs have: ranges that nobody on the host has.
//!
//! A file of a host's user whose id a lab has too is the lab's to read. So ids that `passwd(5)`, `group(5)`,
//! `subuid(5)` or `subgid(5)` know are passed over, and where the host knows users from elsewhere
//! (`nsswitch.conf(5)`), those of which it tells.

use std::{fmt, fs, ops::Range};

use serde::Deserialize;

use super::nss;

/// User and group ids of one lab; what programs expect.
pub const EACH: u32 = 65_536;
/// From here on ids make trouble.
const END: u32 = 1 << 31;
/// Where a directory is asked: each so many ids, from the lab's root on.
const STEP: usize = 1_024;

/// The ids that labs may have (`[ids]` of the configuration).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Ids {
    first: u32,
    labs: u32,
}

/// What stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Fields {
    first: u32,
    labs: u32,
}

impl Default for Fields {
    fn default() -> Self {
        let Ids { first, labs } = Ids::default();
        Self { first, labs }
    }
}

impl Default for Ids {
    /// Above what systemd and distributions give out (systemd's `UIDS-GIDS.md`), 4,096 labs.
    fn default() -> Self {
        Self { first: 0x7000_0000, labs: 4_096 }
    }
}

impl TryFrom<Fields> for Ids {
    type Error = String;

    fn try_from(Fields { first, labs }: Fields) -> Result<Self, String> {
        if first < EACH {
            return Err(format!("first must be {EACH} or more: below are the host's own ids"));
        }
        if labs == 0 || u64::from(first) + u64::from(labs) * u64::from(EACH) > u64::from(END) {
            let most = (END - first.min(END)) / EACH;
            return Err(format!(
                "labs must be from 1 to {most}: each has {EACH} ids, and they must end below {END}"
            ));
        }
        Ok(Self { first, labs })
    }
}

impl Ids {
    /// The first id of each lab's range.
    pub fn ranges(self) -> impl Iterator<Item = u32> {
        (0..self.labs).map(move |number| self.first + number * EACH)
    }

    /// How many labs there can be.
    pub fn labs(self) -> u32 {
        self.labs
    }

    /// All of them.
    pub fn all(self) -> Range<u64> {
        let first = u64::from(self.first);
        first..first + u64::from(self.labs) * u64::from(EACH)
    }
}

impl fmt::Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.all();
        write!(f, "{} to {}", all.start, all.end - 1)
    }
}

/// Whether two labs whose ids begin there would share some.
pub fn overlap(a: u32, b: u32) -> bool {
    a.abs_diff(b) < EACH
}

/// The ids that the host knows, and who has them.
#[derive(Debug, Default)]
pub struct Known {
    ranges: Vec<(Range<u64>, String)>,
    /// Whether there are users or groups from elsewhere.
    directory: bool,
}

impl Known {
    /// What the host knows now.
    pub fn read() -> Self {
        let text = |file: &str| fs::read_to_string(file).unwrap_or_default();
        let mut known = Self { ranges: Vec::new(), directory: asks_elsewhere(&text("/etc/nsswitch.conf")) };
        for (file, what) in [("/etc/passwd", "user"), ("/etc/group", "group")] {
            known.ranges.extend(single(&text(file), what, file));
        }
        for file in ["/etc/subuid", "/etc/subgid"] {
            known.ranges.extend(granted(&text(file), file));
        }
        known
    }

    /// Who has an id of a range.
    pub fn within(&self, range: &Range<u64>) -> impl Iterator<Item = &str> {
        let range = range.clone();
        let overlaps = move |other: &Range<u64>| other.start < range.end && range.start < other.end;
        self.ranges.iter().filter(move |(other, _)| overlaps(other)).map(|(_, who)| who.as_str())
    }

    /// Who has an id of a lab whose ids begin at `first`; asks the directory where there is one.
    pub fn conflict(&self, first: u32) -> Option<String> {
        let range = u64::from(first)..u64::from(first) + u64::from(EACH);
        let known = self.within(&range).next().map(ToOwned::to_owned);
        known.or_else(|| if self.directory { in_directory(first) } else { None })
    }
}

/// The users of `passwd(5)` or groups of `group(5)`.
fn single(text: &str, what: &str, file: &str) -> Vec<(Range<u64>, String)> {
    let entry = |line: &str| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?.parse::<u64>().ok()?);
        Some((id..id + 1, format!("{what} {name} (id {id}, {file})")))
    };
    text.lines().filter_map(entry).collect()
}

/// The ranges of `subuid(5)`.
fn granted(text: &str, file: &str) -> Vec<(Range<u64>, String)> {
    let entry = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let (first, count) =
            (fields.next()?.trim().parse::<u64>().ok()?, fields.next()?.trim().parse::<u64>().ok()?);
        let end = first.checked_add(count)?;
        Some((first..end, format!("{name} (ids {first} to {}, {file})", end.saturating_sub(1))))
    };
    text.lines().filter_map(entry).collect()
}

/// Whether `nsswitch.conf(5)` names sources of users or groups that hold more than the files and systemd's own.
fn asks_elsewhere(text: &str) -> bool {
    const OWN: [&str; 4] = ["files", "compat", "systemd", "altfiles"];
    let sources = |line: &str| {
        let line = line.split('#').next().unwrap_or_default();
        let (database, sources) = line.split_once(':')?;
        let asked = matches!(database.trim(), "passwd" | "group");
        asked.then(|| sources.split_whitespace().any(|word| !word.starts_with('[') && !OWN.contains(&word)))
    };
    text.lines().filter_map(sources).any(|elsewhere| elsewhere)
}

/// Who has an id of a lab, by the directories of the host. All of them would take too long to ask for.
fn in_directory(first: u32) -> Option<String> {
    (first..=first.saturating_add(EACH - 1)).step_by(STEP).find_map(|id| {
        let user = nss::from_anywhere(id)?;
        Some(format!("{user} (id {id}, nsswitch.conf)"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_knows_is_found() {
        let mut known = Known::default();
        known.ranges.extend(single("root:x:0:0::/:/bin/sh\nzoe:x:1879048192:1::/:\nodd\n", "user", "p"));
        known.ranges.extend(granted("carl:1879113728:65536\n# none\nbad:1\n", "s"));
        assert_eq!(known.conflict(0x7000_0000).as_deref(), Some("user zoe (id 1879048192, p)"));
        assert_eq!(known.conflict(0x7001_0000).as_deref(), Some("carl (ids 1879113728 to 1879179263, s)"));
        assert_eq!(known.conflict(0x7002_0000), None);
        assert_eq!(known.within(&Ids::default().all()).count(), 2);
    }

    #[test]
    fn directories_are_recognised() {
        assert!(!asks_elsewhere("passwd: files systemd\ngroup: files [SUCCESS=merge] systemd\nhosts: dns\n"));
        assert!(asks_elsewhere("passwd: files sss\n"));
        assert!(asks_elsewhere("group:\tcompat ldap # old\n"));
        assert!(!asks_elsewhere("# passwd: sss\n"));
    }

    #[test]
    fn ranges_are_within_bounds() {
        let of = |first, labs| Ids::try_from(Fields { first, labs });
        assert_eq!(of(0x7000_0000, 4_096), Ok(Ids::default()));
        assert!(of(1_000, 1).is_err() && of(0x7000_0000, 4_097).is_err() && of(1 << 20, 0).is_err());
        assert!(of(u32::MAX, 1).is_err());
        assert_eq!(of(1 << 20, 2).unwrap().ranges().collect::<Vec<_>>(), [1 << 20, (1 << 20) + EACH]);
        assert_eq!(of(1 << 20, 2).unwrap().to_string(), "1048576 to 1179647");
        assert!(overlap(0, 65_535) && !overlap(0, 65_536));
    }
}
