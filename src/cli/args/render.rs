//! Flags of the commands that need no cluster: what is rendered, checked and shown.

use clap::{Args, Subcommand, ValueEnum};

use super::{Named, Sources};
use crate::findings;

pub(in crate::cli) const RENDER_EXAMPLES: &str = "\
Examples:
  r8 render -f values.yaml | kubectl apply -f -
  r8 render wisdom -n models -f values.yaml --set 'application.versions[1].weight=70'
  r8 render -f values.yaml --ready 0 --routing route

Apply the route when the versions are ready:
  r8 render -f values.yaml --only versions --only support | kubectl apply -f -
  kubectl wait --for=condition=Ready inferenceservice -l 'iter8.tools/watch=true' -n NAMESPACE
  r8 render -f values.yaml --only routing | kubectl apply -f -";

pub(in crate::cli) const TEMPLATE_EXAMPLES: &str = "\
Examples:
  r8 template wisdom iter8/release --version 0.18 -f values.yaml
  r8 template wisdom --repo https://example.org/charts release -n models -f -";

pub(in crate::cli) const VALIDATE_EXAMPLES: &str = "\
Examples:
  r8 validate staging.yaml production.yaml
  r8 validate -f base.yaml -f production.yaml
  r8 validate values.yaml --target kserve=0.20,istio=1.27
  r8 validate values.yaml -o sarif > r8.sarif
  sops decrypt values.enc.yaml | r8 validate -";

#[derive(Debug, Args)]
pub(in crate::cli) struct Render {
    #[command(flatten)]
    pub named: Named,
    /// Put the release name into the paths below `--output-dir`
    #[arg(long, hide = true)]
    pub release_name: bool,
    #[command(flatten)]
    pub sources: Sources,
    #[command(flatten)]
    pub print: Print,
}

/// What is printed, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(in crate::cli) struct Print {
    /// Which of routemap and route to print
    #[arg(long, value_enum, default_value_t = Routing::Both, value_name = "WHAT")]
    pub routing: Routing,
    /// Take only these versions for ready, as in `0,2`; empty for none [default: all]
    ///
    /// A version that is not ready gets no requests; with `--ready ""` the primary gets them all.
    #[arg(long, value_name = "INDEXES")]
    pub ready: Option<String>,
    /// Print only objects of this part; repeatable, or a comma list
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART")]
    pub only: Vec<Part>,
    /// Version of Istio's and the Gateway API's objects
    #[arg(long, value_enum, default_value_t = Version::V1beta1, value_name = "VERSION")]
    pub api_version: Version,
    /// Print only documents whose template matches GLOB; repeatable
    ///
    /// The template stands in the `# Source:` line of each document: `-s 'templates/kserve/*.yaml'`. `*` stops at `/`.
    #[arg(short = 's', long, value_name = "GLOB")]
    pub show_only: Vec<String>,
    /// Write the documents to files below DIR instead of stdout
    ///
    /// Each template has its file, as DIR/r8/templates/kserve/version.yaml. All are written, or none. `kubectl apply -R -f
    /// DIR` takes the files by their names, not in the order in which stdout has them: the route may come before its
    /// versions. Write `--only versions --only support` and `--only routing` to two folders, or use stdout.
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<String>,
    /// Form of the output; json is one List
    #[arg(short, long, value_enum, default_value_t = Output::Yaml, value_name = "FORM")]
    pub output: Output,
    /// Refuse what the products of a target lack, warn of what they ignore
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Routing {
    /// The routemap and the route
    Both,
    /// The routemap alone: the Iter8 controller does the routing
    Routemap,
    /// The route alone
    Route,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Part {
    /// The objects of the versions
    Versions,
    /// What all versions need
    Support,
    /// The routemap and the route
    Routing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Version {
    V1beta1,
    V1,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Output {
    Yaml,
    Json,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Validate {
    /// Files to check, each a release of its own; `-` reads stdin
    #[arg(value_name = "RELEASE")]
    pub releases: Vec<String>,
    /// Release name, for releases whose values have none
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Take warnings for errors
    #[arg(long)]
    pub strict: bool,
    /// Judge what the products that the release is to run on lack or ignore: `kserve=0.20,istio=1.27,gateway-api=1.6`
    ///
    /// What a product lacks is an error, what it ignores a warning. `cluster` asks the cluster of the kubeconfig what it
    /// serves and which versions run in it; `cluster,istio=1.27` names what it does not say.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Version of Istio's and the Gateway API's objects that `--target` judges
    #[arg(long, value_enum, default_value_t = Version::V1beta1, value_name = "VERSION")]
    pub api_version: Version,
    /// Form of the output
    ///
    /// A form for machines is printed also when a release is invalid; the exit code says so. Messages for people go to stderr
    /// beside it. Paths are relative to the repository where GITHUB_WORKSPACE or CI_PROJECT_DIR names it, else to the working
    /// directory.
    #[arg(short, long, value_enum, default_value_t = FindingsForm::Text, value_name = "FORM")]
    pub output: FindingsForm,
    #[command(flatten)]
    pub sources: Sources,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Schema {
    /// Describe the values of one environment [default: all]
    #[arg(long, value_name = "ENVIRONMENT")]
    pub environment: Option<String>,
    /// Add or replace environments and templates from DIR
    #[arg(long, value_name = "DIR")]
    pub templates: Option<String>,
}

/// The form of what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum FindingsForm {
    /// For people
    #[value(alias = "table")]
    Text,
    /// Versioned, for programs
    Json,
    /// A comment for a pull request, at most 65,536 bytes
    Markdown,
    /// Annotations of GitHub Actions; appends Markdown to GITHUB_STEP_SUMMARY, and leaves stderr empty
    Github,
    /// A code quality report for GitLab
    Gitlab,
    /// JUnit's XML, a test case per release
    Junit,
    /// SARIF 2.1.0, as code scanning reads it
    Sarif,
}

impl FindingsForm {
    /// The form for machines; none for people.
    pub fn form(self) -> Option<findings::Form> {
        match self {
            FindingsForm::Text => None,
            FindingsForm::Json => Some(findings::Form::Json),
            FindingsForm::Markdown => Some(findings::Form::Markdown),
            FindingsForm::Github => Some(findings::Form::Github),
            FindingsForm::Gitlab => Some(findings::Form::Gitlab),
            FindingsForm::Junit => Some(findings::Form::Junit),
            FindingsForm::Sarif => Some(findings::Form::Sarif),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Templates {
    /// List environments and their strategies
    #[command(after_help = "Example:\n  r8 templates list --templates my-templates")]
    List {
        /// Add or replace environments and templates from DIR
        #[arg(long, value_name = "DIR")]
        templates: Option<String>,
    },
    /// Print the templates of one strategy
    #[command(after_help = "Example:\n  r8 templates show kserve/canary")]
    Show {
        /// What to show, as in `kserve/canary`
        #[arg(value_name = "ENVIRONMENT/STRATEGY")]
        place: String,
        /// Add or replace environments and templates from DIR
        #[arg(long, value_name = "DIR")]
        templates: Option<String>,
    },
    /// Write a copy of all templates to DIR
    #[command(
        after_help = "Example:\n  r8 templates eject my-templates\n  r8 render -f values.yaml --templates my-templates"
    )]
    Eject {
        /// Where to write; made when it does not exist
        #[arg(value_name = "DIR")]
        folder: String,
        /// Overwrite files that exist
        #[arg(long)]
        force: bool,
    },
}
