//! This program's version and the daemon's.

use netlab_proto::{REVISION, REVISION_HEADER, VERSION_HEADER};
use tonic::metadata::MetadataMap;

/// Version of this program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What to say where a daemon does not have what was asked for, with the headers of its answer.
pub(crate) fn too_old(headers: &MetadataMap) -> String {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let theirs = match (text(VERSION_HEADER), text(REVISION_HEADER)) {
        (Some(version), Some(revision)) => format!("netlabd {version} (API revision {revision})"),
        (Some(version), None) => format!("netlabd {version}"),
        // The first release did not tell.
        (None, _) => "netlabd, of a version that does not tell which it is,".to_owned(),
    };
    format!(
        "{theirs} does not have what netlabctl {VERSION} (API revision {REVISION}) asks it for; upgrade netlabd on \
         its host, or use the netlabctl that came with it"
    )
}

/// What to say of fields that an older daemon does not know; `version` may be empty.
pub(crate) fn does_not_know(version: &str) -> String {
    let theirs = if version.is_empty() { "an older version".to_owned() } else { version.to_owned() };
    format!(
        "netlabd ({theirs}) does not know this, netlabctl {VERSION} does: upgrade netlabd on its host, or leave it out"
    )
}
