//! Helm's flags that r8 takes beside its own, and those that it refuses.

use clap::{Arg, ArgAction};

/// What follows a flag.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing, or `=true` and `=false`.
    Switch,
    /// A value.
    Value,
    /// A value behind `=`, or nothing.
    Optional,
}
use Takes::{Optional, Switch, Value};

/// A flag of Helm's that changes nothing about what r8 prints or does: r8 fetches no chart, and the release chart has no
/// hooks, tests, CRDs or dependencies and reads no capabilities.
pub(super) struct Harmless(pub &'static str, pub Option<char>, pub Takes);

/// A flag of Helm's whose effect r8 does not have: refused, unless its value is one of those that mean nothing.
pub(super) struct Refused {
    pub name: &'static str,
    pub short: Option<char>,
    pub takes: Takes,
    /// The values that mean nothing.
    pub unless: &'static [&'static str],
    pub why: &'static str,
    pub hint: &'static str,
}

/// Flags of every command of Helm's: they say how to reach the cluster and the repositories.
pub(super) const EVERYWHERE: [Harmless; 14] = [
    Harmless("debug", None, Switch),
    Harmless("kube-token", None, Value),
    Harmless("kube-as-user", None, Value),
    Harmless("kube-as-group", None, Value),
    Harmless("kube-apiserver", None, Value),
    Harmless("kube-ca-file", None, Value),
    Harmless("kube-tls-server-name", None, Value),
    Harmless("kube-insecure-skip-tls-verify", None, Switch),
    Harmless("burst-limit", None, Value),
    Harmless("qps", None, Value),
    Harmless("registry-config", None, Value),
    Harmless("repository-config", None, Value),
    Harmless("repository-cache", None, Value),
    Harmless("content-cache", None, Value),
];

/// Flags about the chart and its installation: r8 waits for versions always, the release chart has no jobs, hooks, CRDs or
/// dependencies, and Secrets are masked.
const CHART: [Harmless; 27] = [
    Harmless("api-versions", Some('a'), Value),
    Harmless("kube-version", None, Value),
    Harmless("skip-crds", None, Switch),
    Harmless("no-hooks", None, Switch),
    Harmless("is-upgrade", None, Switch),
    Harmless("replace", None, Switch),
    Harmless("wait", None, Optional),
    Harmless("wait-for-jobs", None, Switch),
    Harmless("hide-notes", None, Switch),
    Harmless("hide-secret", None, Switch),
    Harmless("render-subchart-notes", None, Switch),
    Harmless("enable-dns", None, Switch),
    Harmless("disable-openapi-validation", None, Switch),
    Harmless("skip-schema-validation", None, Switch),
    Harmless("dependency-update", None, Switch),
    Harmless("devel", None, Switch),
    Harmless("verify", None, Switch),
    Harmless("keyring", None, Value),
    Harmless("username", None, Value),
    Harmless("password", None, Value),
    Harmless("pass-credentials", None, Switch),
    Harmless("ca-file", None, Value),
    Harmless("cert-file", None, Value),
    Harmless("key-file", None, Value),
    Harmless("insecure-skip-tls-verify", None, Switch),
    Harmless("plain-http", None, Switch),
    Harmless("post-renderer-args", None, Value),
];

/// Flags of `helm template`; the commands that change a release heed or refuse those that are its alone.
pub(super) const TEMPLATE: [&[Harmless]; 2] = [
    &CHART,
    &[
        Harmless("include-crds", None, Switch),
        Harmless("skip-tests", None, Switch),
        Harmless("create-namespace", None, Switch),
        Harmless("force", None, Switch),
        Harmless("force-replace", None, Switch),
        Harmless("force-conflicts", None, Switch),
        Harmless("take-ownership", None, Switch),
        Harmless("server-side", None, Optional),
        Harmless("timeout", None, Value),
        Harmless("atomic", None, Switch),
        Harmless("rollback-on-failure", None, Switch),
        Harmless("description", None, Value),
        Harmless("labels", Some('l'), Value),
    ],
];

/// Flags of `helm lint`.
pub(super) const LINT: [Harmless; 4] = [
    Harmless("kube-version", None, Value),
    Harmless("quiet", None, Switch),
    Harmless("skip-schema-validation", None, Switch),
    Harmless("with-subcharts", None, Switch),
];

/// Flags of `helm upgrade`, `install` and `rollback`.
pub(super) const CHANGE: [&[Harmless]; 2] =
    [&CHART, &[Harmless("install", Some('i'), Switch), Harmless("recreate-pods", None, Switch)]];

/// Flags of `helm uninstall`.
pub(super) const UNINSTALL: [Harmless; 2] = [Harmless("wait", None, Optional), Harmless("no-hooks", None, Switch)];

/// The commands that change a release, r8's words and Helm's.
pub(super) const CHANGES: [&str; 4] = ["apply", "upgrade", "install", "rollback"];

/// The values of a switch that was turned off.
const OFF: &[&str] = &["false", "False", "FALSE", "f", "F", "0"];
const NAME: &str = "give the name: `r8 template NAME release -f values.yaml`";
const SERVER: &str = "pipe the output into `kubectl apply --dry-run=server -f -`";

/// Flags that `helm template` has and `template` refuses.
pub(super) const REFUSED: [Refused; 5] = [
    Refused {
        name: "generate-name",
        short: Some('g'),
        takes: Switch,
        unless: OFF,
        why: "a generated name makes another release of every run",
        hint: NAME,
    },
    Refused {
        name: "name-template",
        short: None,
        takes: Value,
        unless: &[],
        why: "r8 has no templates of names",
        hint: NAME,
    },
    Refused {
        name: "validate",
        short: None,
        takes: Switch,
        unless: OFF,
        why: "r8 renders without asking a cluster",
        hint: SERVER,
    },
    Refused {
        name: "dry-run",
        short: None,
        takes: Optional,
        unless: &["", "client", "none", "true", "false"],
        why: "r8 renders without asking a cluster",
        hint: SERVER,
    },
    Refused {
        name: "post-renderer",
        short: None,
        takes: Value,
        unless: &[],
        why: "r8 runs no other program",
        hint: "pipe the output into it",
    },
];

/// Flags that the commands that change a release refuse.
pub(super) const REFUSED_CHANGE: [Refused; 7] = [
    Refused {
        name: "server-side",
        short: None,
        takes: Optional,
        unless: &["", "true", "auto"],
        why: "r8 writes by server-side apply only",
        hint: "leave it out",
    },
    Refused {
        name: "force-replace",
        short: None,
        takes: Switch,
        unless: OFF,
        why: "what is replaced is down meanwhile, and r8 replaces nothing",
        hint: "`--force-conflicts` takes fields of others",
    },
    Refused {
        name: "force",
        short: None,
        takes: Switch,
        unless: OFF,
        why: "what is replaced is down meanwhile, and r8 replaces nothing",
        hint: "`--force-conflicts` takes fields of others",
    },
    Refused {
        name: "cleanup-on-fail",
        short: None,
        takes: Switch,
        unless: OFF,
        why: "what a failed run leaves may serve requests",
        hint: "`--rollback-on-failure` goes back to what was live",
    },
    Refused {
        name: "generate-name",
        short: Some('g'),
        takes: Switch,
        unless: OFF,
        why: "a generated name makes another release of every run",
        hint: "give the name: `r8 install NAME release -f values.yaml`",
    },
    Refused {
        name: "name-template",
        short: None,
        takes: Value,
        unless: &[],
        why: "r8 has no templates of names",
        hint: "give the name: `r8 install NAME release -f values.yaml`",
    },
    Refused {
        name: "post-renderer",
        short: None,
        takes: Value,
        unless: &[],
        why: "r8 runs no other program",
        hint: "change the templates: `r8 templates eject DIR`, then `--templates DIR`",
    },
];

/// Flags that `helm uninstall` has and `delete` refuses.
pub(super) const REFUSED_UNINSTALL: [Refused; 1] = [Refused {
    name: "cascade",
    short: None,
    takes: Value,
    unless: &["background"],
    why: "r8 deletes in the background, as Helm does by default, and waits until everything is gone",
    hint: "leave it out",
}];

/// The flag as an argument of a command, hidden from the help.
pub(super) fn argument(name: &'static str, short: Option<char>, takes: Takes) -> Arg {
    let argument = Arg::new(name).long(name).hide(true);
    let argument = match short {
        Some(short) => argument.short(short),
        None => argument,
    };
    match takes {
        Value => argument.action(ArgAction::Append).allow_hyphen_values(true),
        Optional => argument.num_args(0..=1).require_equals(true).default_missing_value(""),
        Switch => argument.num_args(0..=1).require_equals(true).default_missing_value("true"),
    }
}
