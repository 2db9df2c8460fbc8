//! Flags of the commands that look at a cluster and change it.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Change, DiffOutput, Record};
use crate::cli::connect;
use crate::plan::Goal;

pub(in crate::cli) const APPLY_EXAMPLES: &str = "\
Examples:
  r8 apply wisdom -f values.yaml
  r8 apply wisdom -n models -f values.yaml --set 'application.versions[1].weight=70' --timeout 20m
  r8 apply wisdom -f values.yaml --take-ownership";

pub(in crate::cli) const ROLLBACK_EXAMPLES: &str = "\
Examples:
  r8 rollback wisdom -n models
  r8 rollback wisdom 3 -n models --dry-run";

pub(in crate::cli) const STATUS_EXAMPLES: &str = "\
Examples:
  r8 status wisdom -n models
  r8 status wisdom -n models --wait --timeout 20m
  r8 status wisdom -n models --watch";

pub(in crate::cli) const DELETE_EXAMPLES: &str = "\
Examples:
  r8 delete wisdom -n models
  r8 delete wisdom -n models --dry-run";

#[derive(Debug, Args)]
pub(in crate::cli) struct Apply {
    #[command(flatten)]
    pub change: Change,
    #[command(flatten)]
    pub waiting: Waiting,
    /// Create the namespace of the release when it does not exist
    #[arg(long)]
    pub create_namespace: bool,
    /// Go back to the revision before when this one fails; a first one is deleted
    #[arg(long, alias = "atomic", conflicts_with = "no_wait")]
    pub rollback_on_failure: bool,
    /// Show what would change, as `diff` does
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_value_t = DryRun::None, default_missing_value = "server",
          hide_possible_values = true, hide_default_value = true, value_name = "WHERE")]
    pub dry_run: DryRun,
    #[command(flatten)]
    pub record: Record,
    /// Labels of the record, as in `team=models,stage=test`; `stage=null` takes one away
    #[arg(short = 'l', long, value_name = "LABELS", value_delimiter = ',', help_heading = "Record")]
    pub labels: Vec<String>,
    /// Form of the report
    #[arg(short, long, value_enum, default_value_t = DiffOutput::Text, value_name = "FORM")]
    pub output: DiffOutput,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Rollback {
    /// Release name
    pub name: String,
    /// Number of the revision to go back to [default: the newest before the last that was live]
    pub revision: Option<u64>,
    #[command(flatten)]
    pub waiting: Waiting,
    /// Let a live release lose its route, when the revision has none
    #[arg(long)]
    pub remove_route: bool,
    /// Take fields that other field managers own
    #[arg(long)]
    pub force_conflicts: bool,
    /// How long the command may take, as in `5m0s` [default: 10m]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = connect::duration)]
    pub timeout: Option<Duration>,
    /// Show what would change, as `diff` does
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_value_t = DryRun::None, default_missing_value = "server",
          hide_possible_values = true, hide_default_value = true, value_name = "WHERE")]
    pub dry_run: DryRun,
    #[command(flatten)]
    pub record: Record,
    /// Form of the report
    #[arg(short, long, value_enum, default_value_t = DiffOutput::Text, value_name = "FORM")]
    pub output: DiffOutput,
}

/// What a run that changes a release waits for, and how long.
#[derive(Debug, Args)]
pub(in crate::cli) struct Waiting {
    /// Do not wait: route by what is settled now, and say what remains
    #[arg(long)]
    pub no_wait: bool,
    /// How long requests may still come to a version after the route has left it
    #[arg(long, default_value = "10s", value_name = "DURATION", allow_hyphen_values = true, value_parser = connect::duration)]
    pub drain: Duration,
    /// How long a status must stay as it is where nothing proves that a version is settled
    #[arg(long, default_value = "10s", value_name = "DURATION", allow_hyphen_values = true, value_parser = connect::duration)]
    pub settle: Duration,
}

impl Waiting {
    /// The goal with what these flags say of it.
    pub fn goal(&self, goal: Goal) -> Goal {
        Goal { wait: !self.no_wait, drain: self.drain, settle: self.settle, ..goal }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Status {
    /// Release name
    pub name: String,
    /// Print a line for each change, until interrupted
    #[arg(short, long)]
    pub watch: bool,
    /// Wait until every version that is to get requests is settled
    #[arg(long)]
    pub wait: bool,
    /// How long `--wait` may take, as in `5m0s` [default: 10m]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = connect::duration)]
    pub timeout: Option<Duration>,
    /// How long a status must stay as it is where nothing proves that a version is settled
    #[arg(long, default_value = "10s", value_name = "DURATION", allow_hyphen_values = true, value_parser = connect::duration)]
    pub settle: Duration,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = DiffOutput::Text, value_name = "FORM")]
    pub output: DiffOutput,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Delete {
    /// Release name
    pub name: String,
    /// A release that is not there is deleted already
    #[arg(long)]
    pub ignore_not_found: bool,
    /// How long to wait until everything is gone, as in `5m0s`; the drain comes on top
    #[arg(long, default_value = "10m", value_name = "DURATION", allow_hyphen_values = true, value_parser = connect::duration)]
    pub timeout: Duration,
    /// How long requests may still come to a version after the route is gone
    #[arg(long, default_value = "10s", value_name = "DURATION", allow_hyphen_values = true, value_parser = connect::duration)]
    pub drain: Duration,
    /// Do not wait until versions and support are gone
    #[arg(long)]
    pub no_wait: bool,
    /// Show what would be deleted, in order
    #[arg(long)]
    pub dry_run: bool,
    /// Keep the release's records, the last one as uninstalled
    #[arg(long)]
    pub keep_history: bool,
    /// What the history says of the deletion, where it is kept
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// Take the lock of a run that is dead, or that is not to go on, at once
    #[arg(long)]
    pub take_lock: bool,
    /// Form of the report
    #[arg(short, long, value_enum, default_value_t = DiffOutput::Text, value_name = "FORM")]
    pub output: DiffOutput,
}

impl Delete {
    /// The deletion of a release that did not come about.
    pub fn of(name: &str, timeout: Duration, drain: Duration, take_lock: bool) -> Delete {
        Delete {
            name: name.to_owned(),
            ignore_not_found: true,
            timeout,
            drain,
            no_wait: false,
            dry_run: false,
            keep_history: false,
            description: None,
            take_lock,
            output: DiffOutput::Text,
        }
    }
}

/// Whether a change is only shown: Helm's words; r8 asks the API server in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DryRun {
    #[value(alias = "false")]
    None,
    #[value(aliases = ["client", "true"])]
    Server,
}

/// The way to the cluster; everything else comes from the kubeconfig.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub(in crate::cli) struct Access {
    /// Act as this user [default: HELM_KUBEASUSER]
    #[arg(long, global = true, hide_short_help = true, allow_hyphen_values = true, value_name = "USER")]
    pub kube_as_user: Option<String>,
    /// Act as a member of this group; repeatable [default: HELM_KUBEASGROUPS]
    #[arg(long, global = true, hide_short_help = true, allow_hyphen_values = true, value_name = "GROUP")]
    pub kube_as_group: Vec<String>,
    /// Use this bearer token [default: HELM_KUBETOKEN]
    #[arg(long, global = true, hide_short_help = true, allow_hyphen_values = true, value_name = "TOKEN")]
    pub kube_token: Option<String>,
    /// Address of the API server [default: HELM_KUBEAPISERVER]
    #[arg(long, global = true, hide_short_help = true, allow_hyphen_values = true, value_name = "URL")]
    pub kube_apiserver: Option<String>,
    /// Certificates that the API server's is checked with [default: HELM_KUBECAFILE]
    #[arg(long, global = true, hide_short_help = true, allow_hyphen_values = true, value_name = "FILE")]
    pub kube_ca_file: Option<String>,
    /// Name that the API server's certificate must have [default: HELM_KUBETLS_SERVER_NAME, that of its address]
    #[arg(long, global = true, hide_short_help = true, allow_hyphen_values = true, value_name = "NAME")]
    pub kube_tls_server_name: Option<String>,
    /// Do not check the API server's certificate [default: HELM_KUBEINSECURE_SKIP_TLS_VERIFY]
    #[arg(long, global = true, hide_short_help = true, num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_name = "BOOL", value_parser = connect::switch)]
    pub kube_insecure_skip_tls_verify: Option<bool>,
}
