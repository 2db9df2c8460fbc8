//! Flags and help texts: what can be typed, nothing settled.

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Safe progressive releases of models and services on Kubernetes from one values file.
#[derive(Debug, Parser)]
#[command(name = "r8", version, about, long_about = None, arg_required_else_help = true, after_help = EXAMPLE)]
pub(super) struct Arguments {
    /// Colour messages: auto, always or never
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLE: &str = "Example:\n  r8 render -f values.yaml | kubectl apply -f -";

/// When messages are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the manifests of a release
    #[command(
        alias = "template",
        after_help = "Examples:\n  r8 render -f values.yaml | kubectl apply -f -\n  r8 render wisdom -n models -f values.yaml \
                      --set 'application.versions[1].weight=70'\n  r8 render -f values.yaml --ready 0 --routing route"
    )]
    Render(Render),
    /// Check releases without printing them
    #[command(
        alias = "lint",
        after_help = "Examples:\n  r8 validate staging.yaml production.yaml\n  r8 validate -f base.yaml -f production.yaml"
    )]
    Validate(Validate),
    /// List, show or copy the templates
    #[command(
        subcommand,
        after_help = "Examples:\n  r8 templates show kserve/canary\n  r8 templates eject my-templates\n  r8 render -f values.yaml \
                      --templates my-templates"
    )]
    Templates(Templates),
}

/// Where values come from.
#[derive(Debug, Args)]
pub(super) struct Sources {
    /// Merge values from FILE, later files win; `-` reads stdin
    #[arg(short = 'f', long = "values", value_name = "FILE")]
    pub files: Vec<String>,
    /// Set values, as in `a.b=1,c[0]=x`
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Set values that are always strings
    #[arg(long, value_name = "PATH=TEXT")]
    pub set_string: Vec<String>,
    /// Set values from JSON, as in `a={"b":1}`
    #[arg(long, value_name = "PATH=JSON")]
    pub set_json: Vec<String>,
    /// Set values to the content of files
    #[arg(long, value_name = "PATH=FILE")]
    pub set_file: Vec<String>,
    /// Set one value to the text behind `=` as it is
    #[arg(long, value_name = "PATH=TEXT")]
    pub set_literal: Vec<String>,
    /// Namespace of the release [default: HELM_NAMESPACE, the kube context's, default]
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Read the context's namespace from FILE [default: KUBECONFIG, ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<String>,
    /// Use the namespace of this context
    #[arg(long, value_name = "CONTEXT")]
    pub kube_context: Option<String>,
    /// Add or replace environments and templates from DIR
    #[arg(long, value_name = "DIR")]
    pub templates: Option<String>,
    /// Warn of unknown keys below `application` instead of refusing them
    #[arg(long)]
    pub allow_unknown: bool,
}

#[derive(Debug, Args)]
pub(super) struct Render {
    /// Release name [default: application.metadata.name, the label app.kubernetes.io/name]
    pub name: Option<String>,
    /// The Iter8 chart `release`, for pipelines written for `helm template`
    #[arg(hide = true)]
    pub chart: Option<String>,
    #[command(flatten)]
    pub sources: Sources,
    /// Which of routemap and route to print
    #[arg(long, value_enum, default_value_t = Routing::Both, value_name = "WHAT")]
    pub routing: Routing,
    /// Take only these versions for ready, as in `0,2`; empty for none [default: all]
    #[arg(long, value_name = "INDEXES")]
    pub ready: Option<String>,
    /// Print only objects of this part; repeatable
    #[arg(long, value_enum, value_name = "PART")]
    pub only: Vec<Part>,
    /// Version of Istio's and the Gateway API's objects
    #[arg(long, value_enum, default_value_t = Version::V1beta1, value_name = "VERSION")]
    pub api_version: Version,
    /// Print only documents whose template matches GLOB; repeatable
    #[arg(short = 's', long, value_name = "GLOB")]
    pub show_only: Vec<String>,
    /// Write the documents to files below DIR instead of stdout
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<String>,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = Output::Yaml, value_name = "FORM")]
    pub output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Routing {
    Both,
    Routemap,
    Route,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Part {
    Versions,
    Support,
    Routing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Version {
    V1beta1,
    V1,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    Yaml,
    Json,
}

#[derive(Debug, Args)]
pub(super) struct Validate {
    /// Files to check, each a release of its own; `-` reads stdin
    #[arg(value_name = "RELEASE")]
    pub releases: Vec<String>,
    #[command(flatten)]
    pub sources: Sources,
}

#[derive(Debug, Subcommand)]
pub(super) enum Templates {
    /// List environments and their strategies
    List {
        /// Add or replace environments and templates from DIR
        #[arg(long, value_name = "DIR")]
        templates: Option<String>,
    },
    /// Print the templates of one strategy
    Show {
        /// What to show, as in `kserve/canary`
        #[arg(value_name = "ENVIRONMENT/STRATEGY")]
        place: String,
        /// Add or replace environments and templates from DIR
        #[arg(long, value_name = "DIR")]
        templates: Option<String>,
    },
    /// Write a copy of all templates to DIR
    Eject {
        /// Where to write; made when it does not exist
        #[arg(value_name = "DIR")]
        folder: String,
        /// Overwrite files that exist
        #[arg(long)]
        force: bool,
    },
}
