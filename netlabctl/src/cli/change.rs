//! Commands that make, change and delete labs.

use std::time::Duration;

use clap::Args;

use crate::{duration, labfile::expand::Setting};

/// What the lab file's parameters are.
#[derive(Debug, Args)]
pub(crate) struct Given {
    /// Give a parameter of the lab file a value; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) settings: Vec<Setting>,
}

/// A lab file.
#[derive(Debug, Args)]
pub(crate) struct LabFileArg {
    /// As kubectl wants it.
    #[arg(short = 'f', hide = true)]
    pub(crate) from_file: bool,
    /// The lab file; - is the standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: String,
    #[command(flatten)]
    pub(crate) given: Given,
}

/// Lab files, of as many labs.
#[derive(Debug, Args)]
pub(crate) struct LabFiles {
    /// As kubectl wants it.
    #[arg(short = 'f', hide = true, action = clap::ArgAction::Count)]
    pub(crate) from_file: u8,
    /// The lab files, one after the other; - is the standard input. All are read before the first is sent.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// Give the file's lab another name, for example where another user has a lab of that name.
    #[arg(id = "rename", long = "name", value_name = "NAME")]
    pub(crate) rename: Option<String>,
    #[command(flatten)]
    pub(crate) given: Given,
}

/// Whether to wait, and how long.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Waiting {
    /// Return as soon as the daemon has taken the request.
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Longest wait, for example 90s, 5m or 500ms. What is waited for goes on afterwards.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration::parse)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct CreateLab {
    #[command(flatten)]
    pub(crate) files: LabFiles,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyLab {
    #[command(flatten)]
    pub(crate) files: LabFiles,
    /// Only print what would be done: exit code 0 without changes, 8 with.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Roll the change back unless it is confirmed with confirm-lab within this time, for example 60s.
    #[arg(long, value_name = "TIME", value_parser = crate::duration::parse)]
    pub(crate) rollback_after: Option<std::time::Duration>,
    /// Refuse unless the lab is of this generation.
    #[arg(long, value_name = "GENERATION", value_parser = generation)]
    pub(crate) expected_generation: Option<u64>,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

/// `resume-lab`.
#[derive(Debug, Args)]
pub(crate) struct ResumeLab {
    /// Name of the lab.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteLab {
    /// Names of the labs.
    #[arg(required_unless_present = "files", value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Delete the lab of this file; may be repeated.
    #[arg(long = "file", short = 'f', value_name = "FILE")]
    pub(crate) files: Vec<String>,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

pub(super) fn generation(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected the number of a generation, as get-lab shows it".to_owned())
}
