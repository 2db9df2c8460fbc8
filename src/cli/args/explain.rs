//! Flags of `explain`.

use clap::{Args, ValueEnum};

use super::Sources;

/// Examples of `explain`.
pub(in crate::cli) const EXAMPLES: &str = "\
Examples:
  r8 explain -f values.yaml --request 'POST /v2/models/wisdom/infer' --header traffic=test
  r8 explain -f values.yaml --ready 0 --request https://wisdom.example.com/
  r8 explain -f values.yaml -H 'traffic: test' -o json";

#[derive(Debug, Args)]
pub(in crate::cli) struct Explain {
    /// Release name [default: application.metadata.name, the label app.kubernetes.io/name]
    pub name: Option<String>,
    #[command(flatten)]
    pub asked: Asked,
    /// Take only these versions for ready, as in `0,2`; empty for none [default: all]
    ///
    /// A version that is not ready gets no requests; with `--ready ""` the primary gets them all.
    #[arg(long, value_name = "INDEXES")]
    pub ready: Option<String>,
    /// Explain the route that is in the cluster, whoever wrote it; NAME is required, no values are read
    #[cfg(feature = "cluster")]
    #[arg(long)]
    pub live: bool,
    #[command(flatten)]
    pub sources: Sources,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = Form::Text, value_name = "FORM", help_heading = "Output")]
    pub output: Form,
}

/// The request that is explained.
#[derive(Debug, Args)]
#[command(next_help_heading = "Request")]
pub(in crate::cli) struct Asked {
    /// The request: its method, and its path or URL; the method is GET when absent
    ///
    /// `--request 'POST /v2/models/wisdom/infer?a=b'`, `--request http://wisdom.example.com:8080/`. The query stands in the
    /// path. A URL names host and port; without one, the host is that of `--host`.
    #[arg(long, value_name = "[METHOD] PATH", default_value = "/")]
    pub request: String,
    /// Where it is sent to, as HOST or HOST:PORT [default: a host of the route]
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// A header of the request, as `NAME=VALUE` or `NAME: VALUE`; repeatable
    ///
    /// Names are the same in small and capital letters. Several values of one header are compared as Envoy does it: joined
    /// by commas.
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", allow_hyphen_values = true)]
    pub headers: Vec<String>,
}

/// Who reads an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Form {
    /// For people
    Text,
    /// One document of apiVersion r8/v1 and kind Explanation
    Json,
}
