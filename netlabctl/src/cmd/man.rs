//! `man`: the manual pages, from the command line's own description. For packages.

use std::path::Path;

use clap::CommandFactory as _;

use super::DONE;
use crate::{
    cli::Cli,
    error::{FAILED, Failure},
};

/// Writes netlabctl.1 and a page for each command into a folder.
pub(super) fn run(dir: &Path) -> Result<u8, Failure> {
    clap_mangen::generate_to(Cli::command(), dir)
        .map_err(|error| Failure::new(FAILED, format!("writing to {}: {error}", dir.display())))?;
    Ok(DONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_that_is_shown_has_a_page() {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path()).unwrap();
        let page = std::fs::read_to_string(dir.path().join("netlabctl-create-lab.1")).unwrap();
        assert!(page.contains("netlabctl\\-create\\-lab"), "{page}");
        assert!(dir.path().join("netlabctl.1").exists());
        assert!(!dir.path().join("netlabctl-dial-stdio.1").exists());
    }
}
