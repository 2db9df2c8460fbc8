//! Flags of what a release changes: of `diff`, with and without a cluster, and of `apply`.

use clap::{Args, ValueEnum};

use super::{FindingsForm, Named, Sources};

pub(in crate::cli) const DIFF_EXAMPLES: &str = "\
Examples:
  r8 diff wisdom -f values.yaml
  r8 diff wisdom -n models -f values.yaml --exit-code -o json
  git show main:values.yaml | r8 diff --against - -f values.yaml
  helm template wisdom iter8/release -f values.yaml | r8 diff wisdom --against - -f values.yaml
  r8 diff wisdom --against release:3 -f values.yaml";

#[derive(Debug, Args)]
pub(in crate::cli) struct Diff {
    #[command(flatten)]
    pub change: Change,
    /// Compare with FILE instead of the cluster: values, or manifests that anything has rendered; `-` reads stdin
    ///
    /// Repeatable, or a comma list: values are merged as those of -f are, flags like `--set` are not laid over them. Of
    /// manifests that are JSON or YAML all documents count. `release` means the newest revision of the release that was
    /// live, `release:3` its revision 3; these alone ask the cluster, for the record. Every version counts as settled. What is
    /// empty says that nothing was live, as before the first release.
    #[arg(long, value_name = "FILE")]
    pub against: Vec<String>,
    /// Not needed: without `--against` it is the cluster that is compared with
    #[arg(long, hide = true)]
    pub live: bool,
    /// Not a flag of this command: said is which ones have it
    #[arg(long, hide = true, value_name = "TARGET")]
    pub target: Option<String>,
    /// Show NUM lines around each change
    #[arg(short = 'U', long, default_value_t = 3, value_name = "NUM")]
    pub unified: usize,
    /// Form of the output
    ///
    /// Json is the difference itself, the other forms for machines show what an apply would refuse, and what may surprise, at
    /// the place of the values. All are printed also when nothing can be compared, with the reasons. Messages for people go to
    /// stderr beside them.
    #[arg(short, long, value_enum, default_value_t = FindingsForm::Text, value_name = "FORM")]
    pub output: FindingsForm,
    /// Exit with 3 when there are changes
    #[arg(long)]
    pub exit_code: bool,
    /// Take warnings for errors, and what `apply` would refuse
    ///
    /// The exit code is 5 where `apply` would refuse, as its own is, else 2 where anything is warned of; `--exit-code` counts
    /// where neither is. The difference is printed all the same.
    #[arg(long)]
    pub strict: bool,
}

/// What `diff` and `apply` are about.
#[derive(Debug, Args)]
pub(in crate::cli) struct Change {
    #[command(flatten)]
    pub named: Named,
    #[command(flatten)]
    pub sources: Sources,
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    pub reuse: Reusing,
    /// Who writes the route
    #[arg(long, value_enum, default_value_t = Writer::Auto, value_name = "WHO")]
    pub routing: Writer,
    /// Let a live release lose its route, with strategy none
    #[arg(long)]
    pub remove_route: bool,
    /// Take objects that belong to another release, or to none
    #[cfg(feature = "cluster")]
    #[arg(long)]
    pub take_ownership: bool,
    /// Take fields that other field managers own
    #[cfg(feature = "cluster")]
    #[arg(long)]
    pub force_conflicts: bool,
    /// How long the command may take, as in `5m0s` [default: 10m]
    #[cfg(feature = "cluster")]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = crate::cli::connect::duration)]
    pub timeout: Option<std::time::Duration>,
}

/// Whether the values of the last revision hold where nothing else is given.
#[cfg(feature = "cluster")]
#[derive(Debug, Args)]
#[command(next_help_heading = "Values")]
pub(in crate::cli) struct Reusing {
    /// Put the values over those of the last revision, and over the defaults that it had
    #[arg(long)]
    pub reuse_values: bool,
    /// Put the values over those of the last revision, and over the defaults of today
    #[arg(long)]
    pub reset_then_reuse_values: bool,
    /// Take the values alone, whatever else is said
    #[arg(long)]
    pub reset_values: bool,
}

/// Over what values are put, beside those of the last revision.
#[cfg(feature = "cluster")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Reuse {
    OverOldDefaults,
    OverNewDefaults,
}

#[cfg(feature = "cluster")]
impl Reusing {
    /// Which of them holds: of several the one that Helm takes.
    pub fn which(&self) -> Option<Reuse> {
        match self {
            Reusing { reset_values: true, .. } => None,
            Reusing { reuse_values: true, .. } => Some(Reuse::OverOldDefaults),
            Reusing { reset_then_reuse_values: true, .. } => Some(Reuse::OverNewDefaults),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Writer {
    /// r8 and, for the Iter8 controller, a routemap; a route of the controller's is left to it
    Auto,
    /// r8, with a routemap beside it
    Both,
    /// The Iter8 controller, from a routemap
    Routemap,
    /// r8 alone; a route of the controller's is taken over
    Route,
}

#[cfg(feature = "cluster")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DiffOutput {
    #[value(alias = "table")]
    Text,
    Json,
}
