//! What the caller of a request may do, and the record of what was done.

use tonic::{Code, Request, Status};

use super::status;
use crate::policy::{Access, Caller, Owner, Policy};

/// What the caller of a request may do, by the kernel's word when the connection was made.
///
/// # Errors
/// `PERMISSION_DENIED` for outsiders.
pub(super) fn access<T>(policy: &Policy, request: &Request<T>) -> Result<Access, Status> {
    let caller = request.extensions().get::<Caller>().cloned().ok_or_else(|| {
        status::status(Code::PermissionDenied, "UNKNOWN_CALLER", "the kernel does not say who calls")
    })?;
    policy.access(caller.clone()).map_err(|denied| {
        let Who { uid, user, pid, certificate, from } = who(&caller);
        let role = caller.role.as_str();
        tracing::warn!(uid, user, pid, certificate, from, role, outcome = "denied", "an outsider calls");
        denied.into()
    })
}

/// A caller as fields of the log.
struct Who<'a> {
    uid: Option<u32>,
    user: Option<&'a str>,
    pid: Option<i32>,
    certificate: Option<&'a str>,
    from: Option<String>,
}

fn who(caller: &Caller) -> Who<'_> {
    let Caller { owner, pid, user, remote, .. } = caller;
    Who {
        uid: if let Owner::Local(uid) = owner { Some(*uid) } else { None },
        user: user.as_deref(),
        pid: *pid,
        certificate: remote.as_ref().map(|remote| &*remote.name),
        from: remote.as_ref().map(|remote| remote.address.to_string()),
    }
}

/// Most bytes of a field in the log: what callers write there must not fill it.
const FIELD: usize = 4_096;

/// A privileged act, as the log names it. Nothing in it is secret: a command's environment is left out.
#[derive(Debug, Default)]
pub(super) struct Act {
    /// What is done, for example `create`.
    pub(super) name: &'static str,
    /// The lab as the caller names it.
    pub(super) lab: String,
    /// The node that a command or a ping is started in.
    pub(super) node: Option<String>,
    /// A command's program and arguments.
    pub(super) command: Option<String>,
    /// What is captured at.
    pub(super) interfaces: Option<String>,
    /// A capture's filter.
    pub(super) filter: Option<String>,
}

impl Act {
    /// An act on a lab.
    pub(super) fn new(name: &'static str, lab: &impl ToString) -> Self {
        Self { name, lab: lab.to_string(), ..Self::default() }
    }
}

/// A command line for the log: one line, its words quoted.
pub(super) fn command_line(args: &[String]) -> String {
    args.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(" ")
}

/// As much of a field as the log takes.
fn cut(field: &str) -> &str {
    let end = (0..=FIELD.min(field.len())).rev().find(|end| field.is_char_boundary(*end));
    &field[..end.unwrap_or(0)]
}

/// Logs a privileged act and how it ended, in one line; gives the outcome back.
pub(super) fn audit<T>(access: &Access, act: &Act, outcome: Result<T, Status>) -> Result<T, Status> {
    let Who { uid, user, pid, certificate, from } = who(access.caller());
    let role = access.caller().role.as_str();
    let Act { name, lab, node, command, interfaces, filter } = act;
    let (lab, node, command) = (cut(lab), node.as_deref().map(cut), command.as_deref().map(cut));
    let (interfaces, filter) = (interfaces.as_deref().map(cut), filter.as_deref().map(cut));
    macro_rules! log {
        ($level:ident, $outcome:expr, $why:expr) => {
            tracing::$level!(
                uid,
                user,
                pid,
                certificate,
                from,
                role,
                lab,
                node,
                command,
                interfaces,
                filter,
                act = name,
                outcome = $outcome,
                why = $why,
                "{name}"
            )
        };
    }
    match &outcome {
        Ok(_) => log!(info, "ok", None::<&str>),
        Err(status) if status.code() == Code::PermissionDenied => {
            log!(warn, "denied", Some(cut(status.message())));
        }
        Err(status) => log!(info, &*format!("{:?}", status.code()), Some(cut(status.message()))),
    }
    outcome
}

/// The end of an act that only follows a lab. That there is none is nothing to log: `apply-lab` begins to follow
/// the lab that it is about to make.
pub(super) fn not_followed<T>(access: &Access, act: &Act, status: Status) -> Result<T, Status> {
    if status.code() == Code::NotFound { Err(status) } else { audit(access, act, Err(status)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_one_line_of_quoted_words() {
        let args = ["sh", "-c", "a\nb \"c\""].map(str::to_owned);
        assert_eq!(command_line(&args), r#""sh" "-c" "a\nb \"c\"""#);
    }

    #[test]
    fn fields_are_bounded() {
        assert_eq!(cut("ns1"), "ns1");
        assert_eq!(cut(&format!("x{}", "\u{e9}".repeat(5_000))).len(), FIELD - 1);
    }
}
