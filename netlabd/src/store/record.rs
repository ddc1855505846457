//! What is kept of a lab. Field numbers are for good: a number is never used for anything else.

use netlab_proto::v1 as proto;
use prost::{DecodeError, Message as _, bytes::Bytes};

/// A desired state as it is kept: it is copied often, and its parts are seldom looked at.
pub fn encode(spec: &proto::Lab) -> Bytes {
    spec.encode_to_vec().into()
}

/// A lab as it is kept.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Record {
    /// Unique identifier.
    #[prost(string, tag = "1")]
    pub uid: String,
    /// Counts the changes of `spec`, from 1.
    #[prost(uint64, tag = "2")]
    pub generation: u64,
    /// When it was accepted, in microseconds since 1970.
    #[prost(int64, tag = "3")]
    pub created_us: i64,
    /// User id of whoever created it; 4,294,967,295 for who is no user of this machine.
    #[prost(uint32, tag = "4")]
    pub owner_uid: u32,
    /// The desired state, a `netlab.v1.Lab`.
    #[prost(bytes = "bytes", optional, tag = "5")]
    pub spec: Option<Bytes>,
    /// First of the lab's 65,536 user and group ids.
    #[prost(uint32, tag = "6")]
    pub first_id: u32,
    /// Whether it is being taken away.
    #[prost(bool, tag = "7")]
    pub deleting: bool,
    /// Whether drift repair is stopped.
    #[prost(bool, tag = "8")]
    pub paused: bool,
    /// The newest generation that was verified; 0: none yet.
    #[prost(uint64, tag = "9")]
    pub verified_generation: u64,
    /// The desired state before the last change, until that change is verified.
    #[prost(bytes = "bytes", optional, tag = "10")]
    pub previous_spec: Option<Bytes>,
    /// What made the lab fail for good; nothing of it is left then.
    #[prost(message, optional, tag = "11")]
    pub failure: Option<proto::Failure>,
    /// Repairs of drift since it was created.
    #[prost(uint64, tag = "12")]
    pub drift_repaired: u64,
    /// The newest repairs, newest first.
    #[prost(message, repeated, tag = "13")]
    pub repairs: Vec<proto::Repair>,
    /// When the last change is put back, in microseconds since 1970; 0: it stays.
    #[prost(int64, tag = "14")]
    pub rollback_us: i64,
    /// The desired state that is then put back.
    #[prost(bytes = "bytes", optional, tag = "15")]
    pub rollback_spec: Option<Bytes>,
    /// The same moment as `rollback_us`, in microseconds since the boot `rollback_boot_id` began.
    #[prost(int64, tag = "16")]
    pub rollback_boottime_us: i64,
    /// That boot (`/proc/sys/kernel/random/boot_id`).
    #[prost(string, tag = "17")]
    pub rollback_boot_id: String,
    /// The name in the certificate of whoever created it; empty for users of this machine.
    #[prost(string, tag = "18")]
    pub owner_remote: String,
    /// What sysctls of nodes were before the lab first set them.
    #[prost(message, repeated, tag = "19")]
    pub sysctls_before: Vec<SysctlBefore>,
    /// What its maker called the request that made it; empty where that has no name.
    #[prost(string, tag = "30")]
    pub request_id: String,
    /// What made the last change fail, until the lab is what it was before.
    #[prost(message, optional, tag = "20")]
    pub undoing: Option<proto::Failure>,
}

/// A sysctl of a node before the lab first set it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SysctlBefore {
    /// The node.
    #[prost(string, tag = "1")]
    pub node: String,
    /// The sysctl by its dotted name.
    #[prost(string, tag = "2")]
    pub key: String,
    /// The value; absent: what an interface has when it is made.
    #[prost(string, optional, tag = "3")]
    pub value: Option<String>,
}

impl Record {
    /// Reads a record and tries all that it holds.
    ///
    /// # Errors
    /// It, or a desired state in it, cannot be read.
    pub fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let record = Self::decode(bytes)?;
        for spec in [&record.spec, &record.previous_spec, &record.rollback_spec].into_iter().flatten() {
            decode(spec)?;
        }
        Ok(record)
    }
}

/// Reads a desired state that was kept.
///
/// # Errors
/// It cannot be read.
pub fn decode(spec: &Bytes) -> Result<proto::Lab, DecodeError> {
    proto::Lab::decode(spec.as_ref())
}

/// `netlab.v1.Revision` with the desired state as it is kept.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Revision {
    /// The generation that the desired state is.
    #[prost(uint64, tag = "1")]
    pub generation: u64,
    /// When it was accepted.
    #[prost(message, optional, tag = "2")]
    pub time: Option<pbjson_types::Timestamp>,
    /// Who wanted it.
    #[prost(string, tag = "3")]
    pub who: String,
    /// Why, for example `applied`.
    #[prost(string, tag = "4")]
    pub reason: String,
    /// What differs from the one before.
    #[prost(string, repeated, tag = "5")]
    pub changes: Vec<String>,
    /// The desired state.
    #[prost(bytes = "bytes", optional, tag = "6")]
    pub spec: Option<Bytes>,
    /// Why, for programs.
    #[prost(enumeration = "proto::ChangeCause", tag = "7")]
    pub cause: i32,
}

/// A sysctl of the host before any lab changed it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HostValue {
    /// The value.
    #[prost(string, tag = "1")]
    pub value: String,
    /// In which boot it was read (`/proc/sys/kernel/random/boot_id`); in a later one it means nothing.
    #[prost(string, tag = "2")]
    pub boot_id: String,
}
