//! Users and groups by name: passwd(5) and group(5).

use std::fs;

/// The id of a group in `/etc/group`; `None` where there is no such group.
pub fn group_id(name: &str) -> Option<u32> {
    field(&fs::read_to_string("/etc/group").ok()?, 0, name, 2)?.parse().ok()
}

/// The name of a user in `/etc/passwd`; `None` for users from elsewhere.
pub fn user_name(uid: u32) -> Option<String> {
    field(&fs::read_to_string("/etc/passwd").ok()?, 2, &uid.to_string(), 0).map(ToOwned::to_owned)
}

/// A user or group with that id, from wherever the host knows them (`getpwuid(3)`, `getgrgid(3)`).
#[expect(unsafe_code, reason = "no safe wrapper exists")]
pub(super) fn from_anywhere(id: u32) -> Option<String> {
    let mut buffer: Vec<libc::c_char> = vec![0; 16 << 10];
    // SAFETY: plain data, which the calls fill; the text they point to is in the buffer, which lives on.
    unsafe {
        let mut user: libc::passwd = std::mem::zeroed();
        let mut found = std::ptr::null_mut();
        libc::getpwuid_r(id, &raw mut user, buffer.as_mut_ptr(), buffer.len(), &raw mut found);
        if !found.is_null() {
            return Some(format!("user {}", std::ffi::CStr::from_ptr(user.pw_name).to_string_lossy()));
        }
        let mut group: libc::group = std::mem::zeroed();
        let mut found = std::ptr::null_mut();
        libc::getgrgid_r(id, &raw mut group, buffer.as_mut_ptr(), buffer.len(), &raw mut found);
        if found.is_null() {
            return None;
        }
        Some(format!("group {}", std::ffi::CStr::from_ptr(group.gr_name).to_string_lossy()))
    }
}

/// The ids of a user and of the user's own group in `/etc/passwd`.
pub(super) fn user_ids(name: &str) -> Option<(u32, u32)> {
    let text = fs::read_to_string("/etc/passwd").ok()?;
    let id = |wanted| field(&text, 0, name, wanted)?.parse().ok();
    id(2).zip(id(3))
}

/// The groups of a user in `/etc/group`, and `own`, the user's own one.
pub(super) fn groups_of(user: &str, own: u32) -> Vec<u32> {
    let text = fs::read_to_string("/etc/group").unwrap_or_default();
    let mut groups = memberships(&text, user);
    groups.push(own);
    groups
}

fn memberships(text: &str, user: &str) -> Vec<u32> {
    // An empty list of members splits into one empty name.
    let within = |line: &&str| {
        !user.is_empty() && line.split(':').nth(3).is_some_and(|all| all.split(',').any(|one| one == user))
    };
    text.lines().filter(within).filter_map(|line| line.split(':').nth(2)?.parse().ok()).collect()
}

/// A user for a message.
pub(super) fn shown(uid: u32) -> String {
    user_name(uid).map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"))
}

/// Field `wanted` of the first line whose field `key` is `value`.
fn field<'a>(text: &'a str, key: usize, value: &str, wanted: usize) -> Option<&'a str> {
    text.lines().find(|line| line.split(':').nth(key) == Some(value))?.split(':').nth(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_lines() {
        let text = "root:x:0:\nnetlab:x:104:alice,bob\nnetlab-admin:x:105:\n";
        assert_eq!(field(text, 0, "netlab", 2), Some("104"));
        assert_eq!(field(text, 2, "105", 0), Some("netlab-admin"));
        assert_eq!(field(text, 0, "net", 2), None);
        assert_eq!(memberships(text, "bob"), [104]);
        assert_eq!(memberships(text, ""), [0_u32; 0]);
        assert_eq!(field("broken\n", 0, "broken", 2), None);
    }

    #[test]
    fn root_has_a_name() {
        assert_eq!(shown(0), "root (uid 0)");
        assert_eq!(shown(3_999_999_999), "uid 3999999999");
        assert_eq!(from_anywhere(0).as_deref(), Some("user root"));
        assert_eq!(from_anywhere(3_999_999_999), None);
    }
}
