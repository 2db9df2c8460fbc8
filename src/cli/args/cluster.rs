//! Flags of the commands that look at a cluster and change it.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Record, Sources};
use crate::cli::connect;

pub(in crate::cli) const DIFF_EXAMPLES: &str = "\
Examples:
  r8 diff wisdom -f values.yaml
  r8 diff wisdom -n models -f values.yaml --exit-code -o json";

pub(in crate::cli) const APPLY_EXAMPLES: &str = "\
Examples:
  r8 apply wisdom -f values.yaml
  r8 apply wisdom -n models -f values.yaml --set 'application.versions[1].weight=70' --timeout 20m
  r8 apply wisdom -f values.yaml --take-ownership";

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
pub(in crate::cli) struct Diff {
    #[command(flatten)]
    pub change: Change,
    /// Show NUM lines around each change
    #[arg(short = 'U', long, default_value_t = 3, value_name = "NUM")]
    pub unified: usize,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = DiffOutput::Text, value_name = "FORM")]
    pub output: DiffOutput,
    /// Exit with 3 when there are changes
    #[arg(long)]
    pub exit_code: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Apply {
    #[command(flatten)]
    pub change: Change,
    /// Do not wait: route by what is settled now, and say what remains
    #[arg(long)]
    pub no_wait: bool,
    /// How long requests may still come to a version after the route has left it
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = connect::duration)]
    pub drain: Duration,
    /// How long a status must stay as it is where nothing proves that a version is settled
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = connect::duration)]
    pub settle: Duration,
    /// Create the namespace of the release when it does not exist
    #[arg(long)]
    pub create_namespace: bool,
    /// Show what would change, as `diff` does
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub record: Record,
    /// Form of the report
    #[arg(short, long, value_enum, default_value_t = DiffOutput::Text, value_name = "FORM")]
    pub output: DiffOutput,
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
    #[arg(long, value_name = "DURATION", value_parser = connect::duration)]
    pub timeout: Option<Duration>,
    /// How long a status must stay as it is where nothing proves that a version is settled
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = connect::duration)]
    pub settle: Duration,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = DiffOutput::Text, value_name = "FORM")]
    pub output: DiffOutput,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Delete {
    /// Release name
    pub name: String,
    /// How long to wait until everything is gone, as in `5m0s`; the drain comes on top
    #[arg(long, default_value = "10m", value_name = "DURATION", value_parser = connect::duration)]
    pub timeout: Duration,
    /// How long requests may still come to a version after the route is gone
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = connect::duration)]
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

/// What `diff` and `apply` are about.
#[derive(Debug, Args)]
pub(in crate::cli) struct Change {
    /// Release name [default: application.metadata.name, the label app.kubernetes.io/name]
    pub name: Option<String>,
    /// The chart of `helm upgrade NAME CHART`: `release` or `iter8/release`
    #[arg(hide = true)]
    pub chart: Option<String>,
    #[command(flatten)]
    pub sources: Sources,
    /// Who writes the route
    #[arg(long, value_enum, default_value_t = Writer::Auto, value_name = "WHO")]
    pub routing: Writer,
    /// Let a live release lose its route, with strategy none
    #[arg(long)]
    pub remove_route: bool,
    /// Take objects that belong to another release, or to none
    #[arg(long)]
    pub take_ownership: bool,
    /// Take fields that other field managers own
    #[arg(long)]
    pub force_conflicts: bool,
    /// How long the command may take, as in `5m0s` [default: 10m]
    #[arg(long, value_name = "DURATION", value_parser = connect::duration)]
    pub timeout: Option<Duration>,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DiffOutput {
    Text,
    Json,
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
}
