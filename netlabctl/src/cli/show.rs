//! Commands that show a lab, or wait for it.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::change::{Given, LabFileArg, generation};
use crate::duration;

/// `get-lab`.
#[derive(Debug, Args)]
pub(crate) struct GetLab {
    /// Name of the lab.
    pub(crate) name: String,
    /// Print the lab file of this generation instead, as apply-lab takes it.
    #[arg(long, value_name = "GENERATION", value_parser = generation)]
    pub(crate) revision: Option<u64>,
}

/// `list-labs`.
#[derive(Debug, Args)]
pub(crate) struct ListLabs {
    /// Go on with a line for each lab that changes, until Ctrl-C.
    #[arg(long, short)]
    pub(crate) watch: bool,
}

/// `wait-lab`.
#[derive(Debug, Args)]
pub(crate) struct WaitLab {
    /// Name of the lab.
    pub(crate) name: String,
    /// What to wait for.
    #[arg(long = "for", value_enum, value_name = "STATE", default_value_t = Goal::Ready)]
    pub(crate) goal: Goal,
    /// Longest wait, for example 90s, 5m or 500ms.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration::parse)]
    pub(crate) timeout: Duration,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Goal {
    /// Everything is as asked for.
    Ready,
    /// Nothing of the lab is left; at once where there is none.
    Deleted,
}

/// `watch-lab`.
#[derive(Debug, Args)]
pub(crate) struct WatchLab {
    /// Name of the lab.
    pub(crate) name: String,
    /// Go on after the event of this number, the first thing in each line; 0: begin with the present state.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) after: u64,
}

/// `show-commands`.
#[derive(Debug, Args)]
pub(crate) struct ShowCommands {
    #[command(flatten)]
    pub(crate) file: LabFileArg,
    /// As one would type it, in groups with comments: the default.
    #[arg(long, conflicts_with = "exact")]
    pub(crate) plain: bool,
    /// Exactly what netlabd makes, with the marks by which it knows what is its own and what keeps the host apart
    /// from the lab; JSON always is. A netlabd on that host removes what bears the marks and belongs to no lab.
    #[arg(long)]
    pub(crate) exact: bool,
}

/// `expand`.
#[derive(Debug, Args)]
pub(crate) struct Expand {
    #[command(flatten)]
    pub(crate) file: LabFileArg,
}

/// `check-lab`.
#[derive(Debug, Args)]
pub(crate) struct CheckLab {
    /// Name of the lab.
    pub(crate) name: String,
    /// How long a check waits for its answer, at most 60s.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = duration::parse)]
    pub(crate) timeout: Duration,
}

/// `graph`.
#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// Name of a lab, or a lab file; - is the standard input. A file needs no daemon.
    #[arg(value_name = "LAB|FILE")]
    pub(crate) source: String,
    #[command(flatten)]
    pub(crate) given: Given,
    /// The language of the picture.
    #[arg(long, short, value_enum, default_value_t = GraphFormat::Mermaid)]
    pub(crate) format: GraphFormat,
}

/// The language of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// For Markdown.
    Mermaid,
    /// For Graphviz.
    Dot,
    /// A picture.
    Svg,
    /// A page with the picture.
    Html,
}
