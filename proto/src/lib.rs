//! The `netlab.v1` API: generated messages, clients and servers, their JSON form with the field
//! names of the `.proto` files, and the descriptors for reflection.

pub mod range;
mod rules;
pub mod suggest;
pub mod text;

pub use rules::rules;

/// Package `netlab.v1`.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod v1 {
    tonic::include_proto!("netlab.v1");
    include!(concat!(env!("OUT_DIR"), "/netlab.v1.serde.rs"));
}

impl v1::Phase {
    /// The phase in a word, for example `ready`.
    pub fn word(self) -> String {
        self.as_str_name().trim_start_matches("PHASE_").to_ascii_lowercase()
    }
}

/// The value of an enumeration on its way to JSON.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum EnumValue<T> {
    /// By its name.
    Known(T),
    /// By its number: a newer peer knows its name.
    Unknown(i32),
}

/// Header of every answer: the version of netlabd.
pub const VERSION_HEADER: &str = "netlab-version";

/// Header of every answer: the revision of netlabd's API, see [`REVISION`].
pub const REVISION_HEADER: &str = "netlab-api-revision";

/// Revision of the API: counts the releases that added something to it. Revision 1 had no way to ask
/// for it. `proto/baseline` holds the API of the last release and its revision; a test compares.
pub const REVISION: u32 = 2;

/// The encoded `google.protobuf.FileDescriptorSet` of the package and its imports, with comments.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/netlab.bin"));
