//! Flags and help texts: what can be typed, nothing settled.

mod change;
#[cfg(feature = "cluster")]
mod cluster;
mod explain;
#[cfg(feature = "cluster")]
mod records;
mod render;
mod shell;

use std::ffi::OsString;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use super::failure::Failure;
use super::helm;
use change::DIFF_EXAMPLES;
pub(super) use change::{Change, Diff, Writer};
#[cfg(feature = "cluster")]
pub(super) use change::{DiffOutput, Reuse};
#[cfg(feature = "cluster")]
use cluster::{APPLY_EXAMPLES, DELETE_EXAMPLES, ROLLBACK_EXAMPLES, STATUS_EXAMPLES};
#[cfg(feature = "cluster")]
pub(super) use cluster::{Access, Apply, Delete, DryRun, Rollback, Status};
pub(super) use explain::{Asked, Explain, Form};
#[cfg(feature = "cluster")]
pub(super) use records::{Get, History, List, Record, RecordOutput, Which};
pub(super) use render::{FindingsForm, Output, Part, Print, Render, Routing, Schema, Templates, Validate, Version};
use render::{RENDER_EXAMPLES, TEMPLATE_EXAMPLES, VALIDATE_EXAMPLES};
use shell::{COMPLETIONS_EXAMPLES, MAN_EXAMPLES};
pub(super) use shell::{Completions, Man, Shell};

/// Safe progressive releases of models and services on Kubernetes from one values file
///
/// The values are those of the Iter8 chart `release`; neither the chart nor its controller is needed. `render` prints what
/// `kubectl apply` takes, `diff` shows what would change in a cluster, `apply` changes it and moves traffic onto what is
/// ready. `validate` checks without printing, `explain` says which version answers a request, `templates` shows what is
/// embedded.
#[derive(Debug, Parser)]
#[command(
    name = "r8",
    version,
    args_override_self = true,
    after_help = "Examples:\n  r8 render -f values.yaml | kubectl apply -f -\n  r8 diff wisdom -f values.yaml\n  r8 apply wisdom -f \
                  values.yaml"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Reads the words of the command line; beside them, the refusal of a flag of Helm's.
pub(super) fn parse(words: &[OsString]) -> Result<(Arguments, Result<(), Failure>), clap::Error> {
    let mut command = helm::accept(Arguments::command(), words);
    let mut matches = command.try_get_matches_from_mut(words)?;
    let accepted = helm::refuse(&matches);
    let arguments = Arguments::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))?;
    Ok((arguments, accepted))
}

/// Flags of every command, before or behind its name.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Namespace of the release [default: HELM_NAMESPACE, the kube context's, default]
    #[arg(short, long, global = true, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Read server, user and namespace from FILE [default: KUBECONFIG, ~/.kube/config]
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<String>,
    /// Use this context of the kubeconfig [default: HELM_KUBECONTEXT, the current context]
    #[arg(long, global = true, value_name = "CONTEXT")]
    pub kube_context: Option<String>,
    /// Colour output: auto, always or never [default: HELM_COLOR, auto]
    #[arg(long, alias = "colour", global = true, value_enum, hide_possible_values = true, value_name = "WHEN")]
    pub color: Option<Color>,
    /// Do not show long results in a pager (R8_PAGER, PAGER, less)
    #[arg(long, global = true)]
    pub no_pager: bool,
    /// The way to the cluster.
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    pub access: Access,
}

/// When messages are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the manifests of a release (Helm's verb: template)
    ///
    /// Versions and what they need come first, the routemap and the route last, so that `kubectl apply` can take them as
    /// they come. Nothing is printed unless everything is good. No cluster is asked.
    ///
    /// Called as `template`, the command takes the arguments of `helm template NAME CHART`, and does not read ./values.yaml
    /// by itself.
    #[command(after_help = RENDER_EXAMPLES)]
    Render(Render),
    /// Print the manifests of a release, called as `helm template NAME CHART` is
    ///
    /// The chart must be `release` or `iter8/release`. Flags of Helm that change nothing about the output are accepted,
    /// others are refused.
    #[command(hide = true, override_usage = "r8 template [OPTIONS] [NAME] [CHART]", after_help = TEMPLATE_EXAMPLES)]
    Template(Render),
    /// Check releases without printing them (Helm's verb: lint)
    ///
    /// Everything is checked that `render` checks, for every mode of routing, both versions of the API, and every set of
    /// versions that can be ready; with more than 10 versions for a choice of these sets.
    /// Nothing is printed but the verdict. No cluster is asked, unless `--target` names it.
    #[command(after_help = VALIDATE_EXAMPLES)]
    Validate(Validate),
    /// Check releases, called as `helm lint` is
    #[command(hide = true, after_help = VALIDATE_EXAMPLES)]
    Lint(Validate),
    /// Say which version answers a request, and why: the rules tried, shares, headers, rewrites, copies
    ///
    /// Matches are tried as Istio and the Gateway API try them; what a request leaves open is said. Exit code 0 also when
    /// nobody answers: the question is answered.
    #[command(after_help = explain::EXAMPLES)]
    Explain(Explain),
    /// Show what `apply` would change in the cluster, and how traffic would move
    ///
    /// Every object is compared with a dry run on the API server, so that defaults and webhooks make no noise; nothing is
    /// written. The first lines say how traffic moves, the last one counts.
    ///
    /// With `--against` no cluster is asked: what is compared is what two sets of values render, or manifests and values.
    #[command(after_help = DIFF_EXAMPLES)]
    Diff(Diff),
    /// Make the cluster match: write, wait until versions are ready, move traffic, delete what is left
    ///
    /// Traffic moves only onto versions that are ready. Exit codes: 4 a version is not ready, 5 refused, 6 stopped after the
    /// first write, 130 interrupted. A later `apply` goes on from whatever state it finds.
    #[cfg(feature = "cluster")]
    #[command(after_help = APPLY_EXAMPLES)]
    Apply(Apply),
    /// Make the cluster match, called as `helm upgrade NAME CHART` is; `--install` is not needed
    #[cfg(feature = "cluster")]
    #[command(hide = true, after_help = APPLY_EXAMPLES)]
    Upgrade(Apply),
    /// Make the cluster match, called as `helm install NAME CHART` is
    #[cfg(feature = "cluster")]
    #[command(hide = true, after_help = APPLY_EXAMPLES)]
    Install(Apply),
    /// Go back to an earlier revision of a release, by the same steps and rules as `apply`
    ///
    /// What the revision's record says is written; versions are waited for, and traffic moves only onto those that are
    /// ready. Revisions that Helm made of the Iter8 chart can be gone back to, too.
    #[cfg(feature = "cluster")]
    #[command(after_help = ROLLBACK_EXAMPLES)]
    Rollback(Rollback),
    /// Show what is live of a release: versions, what each gets, whether it is ready, who writes the route
    ///
    /// Everything is read from the cluster; no values are needed. With `--wait`, exit code 4 says that a version is not
    /// settled in time.
    #[cfg(feature = "cluster")]
    #[command(after_help = STATUS_EXAMPLES)]
    Status(Status),
    /// Delete a release: the route first, then, when requests have left them, versions and the rest
    ///
    /// Everything is found in the cluster; no values are needed. Exit codes: 4 something is still there, 6 stopped after the
    /// first deletion, 130 interrupted. A later `delete` goes on from whatever state it finds.
    #[cfg(feature = "cluster")]
    #[command(aliases = ["uninstall", "del", "un"], after_help = DELETE_EXAMPLES)]
    Delete(Delete),
    /// Show the revisions of a release, the newest last
    ///
    /// Reads the release records that Helm and r8 share.
    #[cfg(feature = "cluster")]
    #[command(alias = "hist", after_help = records::HISTORY_EXAMPLES)]
    History(History),
    /// List releases, r8's and Helm's
    ///
    /// Reads the release records that Helm and r8 share: of each release the newest revision.
    #[cfg(feature = "cluster")]
    #[command(visible_alias = "ls", after_help = records::LIST_EXAMPLES)]
    List(List),
    /// Print what the record of a release says: values, manifests or everything
    #[cfg(feature = "cluster")]
    #[command(subcommand, after_help = records::GET_EXAMPLES)]
    Get(Get),
    /// Print the JSON Schema (2020-12) of the values file, for editors
    ///
    /// It says which keys an environment and a strategy take, with their purposes, defaults and examples. A line at the top
    /// of the values file names it: `# yaml-language-server: $schema=./values.schema.json`. No cluster is asked.
    #[command(
        after_help = "Examples:\n  r8 schema > values.schema.json\n  r8 schema --environment kserve --templates my-templates"
    )]
    Schema(Schema),
    /// List, show or copy the templates
    ///
    /// A copy can be changed and given to `render` and `validate` with `--templates`; a file that is not in the folder is
    /// taken from those embedded.
    #[command(
        subcommand,
        after_help = "Examples:\n  r8 templates show kserve/canary\n  r8 templates eject my-templates\n  r8 render -f values.yaml \
                      --templates my-templates"
    )]
    Templates(Templates),
    /// Print the script that completes r8's words in a shell
    ///
    /// Names of releases are completed by asking the cluster that the words typed so far name, for at most two seconds.
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(Completions),
    /// Print a page of the manual, or write them all
    #[command(after_help = MAN_EXAMPLES)]
    Man(Man),
}

/// Which release, as NAME or as Helm's NAME CHART.
#[derive(Debug, Args)]
pub(super) struct Named {
    /// Release name [default: application.metadata.name, the label app.kubernetes.io/name]
    pub name: Option<String>,
    /// The chart: `release` or `iter8/release`
    #[arg(hide = true)]
    pub chart: Option<String>,
    /// Version of the chart: decides the default of `iter8Version`
    #[arg(long = "version", hide = true, value_name = "VERSION")]
    pub chart_version: Option<String>,
    /// Where Helm would fetch the chart; not contacted
    #[arg(long, hide = true, value_name = "URL")]
    pub repo: Option<String>,
}

/// Where values come from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Values")]
pub(super) struct Sources {
    /// Merge values from FILE, later files win; `-` reads stdin
    ///
    /// Repeatable, or a comma list: `-f base.yaml,production.yaml`. With no -f and no --set…, ./values.yaml is read.
    #[arg(short = 'f', long = "values", value_name = "FILE")]
    pub files: Vec<String>,
    /// Set values, as in `a.b=1,c[0]=x`
    ///
    /// `--set 'application.versions[1].weight=70,application.strategy=canary'` stands over the values of all files. Whole
    /// numbers, true, false and null are recognised; `\` takes the next character as it is.
    #[arg(long, value_name = "PATH=VALUE", allow_hyphen_values = true)]
    pub set: Vec<String>,
    /// Set values that are always strings
    ///
    /// `--set-string 'application.metadata.labels.version=1.10'` keeps the 0.
    #[arg(long, value_name = "PATH=TEXT", allow_hyphen_values = true)]
    pub set_string: Vec<String>,
    /// Set values from JSON, as in `a={"b":1}`
    ///
    /// `--set-json 'application.versions[1].match=[{"uri":{"prefix":"/v2"}}]'` replaces what is there; an object without a
    /// path is merged: `--set-json '{"gateway":"public"}'`.
    #[arg(long, value_name = "PATH=JSON", allow_hyphen_values = true)]
    pub set_json: Vec<String>,
    /// Set values to the content of files
    ///
    /// `--set-file application.metadata.annotations.note=note.txt` sets the text of note.txt.
    #[arg(long, value_name = "PATH=FILE", allow_hyphen_values = true)]
    pub set_file: Vec<String>,
    /// Set one value to the text behind `=` as it is
    ///
    /// `--set-literal 'application.metadata.annotations.note=a, b and \c'` needs no `\` before the comma.
    #[arg(long, value_name = "PATH=TEXT", allow_hyphen_values = true)]
    pub set_literal: Vec<String>,
    /// Warn of unknown keys below `application` instead of refusing them
    #[arg(long)]
    pub allow_unknown: bool,
    /// Add or replace environments and templates from DIR
    ///
    /// DIR holds ENVIRONMENT/environment.yaml and *.yaml.j2 files; `r8 templates eject DIR` writes a copy to begin with.
    #[arg(long, value_name = "DIR")]
    pub templates: Option<String>,
}
