//! Flags of the commands that read release records: Helm's.

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::failure::Failure;
use crate::cli::request::World;
use crate::cli::secret;

pub(in crate::cli) const HISTORY_EXAMPLES: &str = "\
Examples:
  r8 history wisdom -n models
  r8 history wisdom -n models --max 5 -o json";

pub(in crate::cli) const LIST_EXAMPLES: &str = "\
Examples:
  r8 list -A
  r8 list -n models --filter '^wis' -o json";

pub(in crate::cli) const GET_EXAMPLES: &str = "\
Examples:
  r8 get values wisdom -n models
  r8 get manifest wisdom -n models --revision 3
  r8 get all wisdom -n models";

#[derive(Debug, Args)]
pub(in crate::cli) struct History {
    /// Release name
    pub name: String,
    /// Show at most so many revisions, the newest
    #[arg(long, default_value_t = 256, value_name = "NUM")]
    pub max: usize,
    /// Show which revision a rollback went back to
    #[arg(long)]
    pub show_rollback_revision: bool,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = RecordOutput::Table, value_name = "FORM")]
    pub output: RecordOutput,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// List the releases of all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// List releases in every status; the default, as in Helm 4
    #[arg(short, long)]
    pub all: bool,
    /// List only releases whose name matches REGEX
    #[arg(short, long, value_name = "REGEX")]
    pub filter: Option<String>,
    /// List only releases with these labels, as in `team=models,stage!=test`
    #[arg(short = 'l', long, value_name = "LABELS")]
    pub selector: Option<String>,
    /// List deployed releases; this flag and the next ones can be combined
    #[arg(long)]
    pub deployed: bool,
    /// List failed releases
    #[arg(long)]
    pub failed: bool,
    /// List releases that somebody is at work on, or was
    #[arg(long)]
    pub pending: bool,
    /// List revisions that a later one has replaced
    #[arg(long)]
    pub superseded: bool,
    /// List releases that are gone and whose records were kept
    #[arg(long)]
    pub uninstalled: bool,
    /// List releases that are being deleted
    #[arg(long)]
    pub uninstalling: bool,
    /// Sort by date, the oldest first
    #[arg(short, long)]
    pub date: bool,
    /// Turn the order round
    #[arg(short, long)]
    pub reverse: bool,
    /// List at most so many releases; 0 for all
    #[arg(short, long, default_value_t = 256, value_name = "NUM")]
    pub max: usize,
    /// Pass over so many releases
    #[arg(long, default_value_t = 0, value_name = "NUM")]
    pub offset: usize,
    /// Print names only
    #[arg(short = 'q', long)]
    pub short: bool,
    /// Print no head above the table
    #[arg(long)]
    pub no_headers: bool,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = RecordOutput::Table, value_name = "FORM")]
    pub output: RecordOutput,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Get {
    /// Print the values that a release was made with
    #[command(after_help = "Example:\n  r8 get values wisdom -n models > values.yaml")]
    Values {
        #[command(flatten)]
        which: Which,
        /// Print the values in force: those given over the defaults
        #[arg(short, long)]
        all: bool,
        /// Form of the output
        #[arg(short, long, value_enum, default_value_t = RecordOutput::Table, value_name = "FORM")]
        output: RecordOutput,
    },
    /// Print the manifests of a release
    #[command(after_help = "Example:\n  r8 get manifest wisdom -n models --revision 3")]
    Manifest {
        #[command(flatten)]
        which: Which,
    },
    /// Print everything that the record of a release says
    #[command(after_help = "Example:\n  r8 get all wisdom -n models")]
    All {
        #[command(flatten)]
        which: Which,
    },
}

/// Which record.
#[derive(Debug, Args)]
pub(in crate::cli) struct Which {
    /// Release name
    pub name: String,
    /// Number of the revision [default: the newest]
    #[arg(long, value_name = "NUM")]
    pub revision: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum RecordOutput {
    Table,
    Json,
    Yaml,
}

/// What is kept of an apply.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Record")]
pub(in crate::cli) struct Record {
    /// Keep at most so many revisions; 0 keeps all [default: HELM_MAX_HISTORY, 10]
    #[arg(long, value_name = "NUM")]
    pub history_max: Option<usize>,
    /// What the history says of the revision
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// Take the lock of a run that is dead, or that is not to go on, at once
    #[arg(long)]
    pub take_lock: bool,
}

impl Record {
    /// How many revisions are kept.
    pub fn history_max(&self, world: &World<'_>) -> Result<usize, Failure> {
        let given = (world.variable)("HELM_MAX_HISTORY").filter(|text| !text.is_empty());
        match (self.history_max, given) {
            (Some(max), _) => Ok(max),
            (None, None) => Ok(10),
            (None, Some(text)) => text.parse().map_err(|_| {
                let text = secret::shown(&text);
                Failure::usage(format!("`HELM_MAX_HISTORY` is `{text}`"), "set it to a number, or unset it")
            }),
        }
    }
}
