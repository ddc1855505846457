//! `expand`.

use super::DONE;
use crate::{
    cli::{Expand, Output},
    error::Failure,
    labfile::LabFile,
    output,
};

/// Prints the flat lab: for people with comments that say where each part comes from.
pub(super) fn run(format: Output, args: &Expand) -> Result<u8, Failure> {
    let file = LabFile::read(&args.file.file, &args.file.given.settings)?;
    output::result(format, &file.lab, || file.flat())?;
    Ok(DONE)
}
