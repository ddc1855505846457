//! A rule's expressions as libnftnl prints them: the common form in which rules are compared.

use super::super::netlink::Message;
use std::{ffi::c_char, ptr::NonNull};

use nftnl::nftnl_sys as sys;

/// The expressions of a rule message, each in `[ ]`, what a counter has counted left out. What libnftnl
/// does not know it says so.
pub(super) fn expressions(message: Message<'_>) -> String {
    let Some(printed) = print(message) else {
        return "[ an expression that libnftnl does not know ]".into();
    };
    let lines = printed.lines().map(str::trim).filter(|line| line.starts_with('['));
    let counted = |line: &str| line.starts_with("[ counter ");
    lines.map(|line| if counted(line) { "[ counter ]" } else { line }).collect::<Vec<_>>().join(" ")
}

#[expect(unsafe_code, reason = "libnftnl's parser and printer have no safe wrapper")]
fn print(message: Message<'_>) -> Option<String> {
    // The parser reads 32-bit numbers: give it a copy that is aligned for them.
    let aligned: Vec<u32> = message.bytes().chunks(4).map(word).collect();
    let rule = Rule(NonNull::new(
        // SAFETY: no preconditions.
        unsafe { sys::nftnl_rule_alloc() },
    )?);
    // SAFETY: `aligned` holds one whole message, whose length field `message::split` has checked, and is
    // not changed by the parser.
    if unsafe { sys::nftnl_rule_nlmsg_parse(aligned.as_ptr().cast(), rule.0.as_ptr()) } < 0 {
        return None;
    }
    let mut text = vec![0; 4096];
    loop {
        // SAFETY: the buffer is writable for the length that is given; the printer closes it with a NUL.
        let length = unsafe {
            let buffer = text.as_mut_ptr().cast::<c_char>();
            sys::nftnl_rule_snprintf(buffer, text.len(), rule.0.as_ptr(), sys::NFTNL_OUTPUT_DEFAULT, 0)
        };
        let length = usize::try_from(length).ok()?;
        if length < text.len() {
            text.truncate(length);
            return Some(String::from_utf8_lossy(&text).into_owned());
        }
        text.resize(length + 1, 0_u8);
    }
}

fn word(bytes: &[u8]) -> u32 {
    let mut word = [0; 4];
    word[..bytes.len()].copy_from_slice(bytes);
    u32::from_ne_bytes(word)
}

/// Owns a libnftnl rule.
struct Rule(NonNull<sys::nftnl_rule>);

impl Drop for Rule {
    #[expect(unsafe_code, reason = "libnftnl's parser and printer have no safe wrapper")]
    fn drop(&mut self) {
        // SAFETY: allocated by `nftnl_rule_alloc`, freed once.
        unsafe { sys::nftnl_rule_free(self.0.as_ptr()) };
    }
}
