//! Why a lab's desired state changes.

use netlab_proto::v1 as proto;

use crate::policy::Access;

/// Why a lab's desired state changes.
#[derive(Debug)]
pub(in crate::reconcile) struct Why {
    /// Who changes it.
    pub(in crate::reconcile) who: String,
    /// For programs.
    pub(super) cause: proto::ChangeCause,
    /// Whether an earlier state comes back: that hardly fails where the disk is full.
    pub(super) by_itself: bool,
    /// What had gone wrong before.
    pub(in crate::reconcile) failure: Option<proto::Failure>,
}

impl Why {
    /// Somebody has asked for it.
    pub(in crate::reconcile) fn asked(access: &Access, cause: proto::ChangeCause) -> Self {
        Self { who: access.caller().shown(), cause, by_itself: false, failure: None }
    }

    /// netlabd puts it back by itself.
    pub(in crate::reconcile) fn reverted(cause: proto::ChangeCause, failure: Option<proto::Failure>) -> Self {
        Self { who: "netlabd".to_owned(), cause, by_itself: true, failure }
    }

    /// For people.
    pub(super) fn reason(&self) -> &'static str {
        match self.cause {
            proto::ChangeCause::Unspecified => "changed",
            proto::ChangeCause::Created => "created",
            proto::ChangeCause::Applied => "applied",
            proto::ChangeCause::PutBackFailed => "rolled back after a failure",
            proto::ChangeCause::PutBackUnconfirmed => "rolled back: nobody confirmed the change in time",
        }
    }
}
