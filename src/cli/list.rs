//! `list`: the releases of a namespace, or of all.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;
use serde_json::{Value, json};

use super::Done;
use super::args::{self, Global, RecordOutput};
use super::failure::{Failure, Fault};
use super::records::{Read, read, table, written};
use super::report::Report;
use super::request::{World, namespace};
use super::secret;
use crate::cluster::records::Known;
use crate::record::{Filter, Order, Revision, Status, listed};
use crate::spec::Namespace;

const HEAD: [&str; 7] = ["NAME", "NAMESPACE", "REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION"];

/// The columns that may be shortened: when, chart and version.
const CUT: [usize; 3] = [3, 5, 6];

/// Runs the command; gives what is to be printed on stdout.
pub(super) fn run(
    args: &args::List,
    global: &Global,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Done, Failure> {
    let place = if args.all_namespaces { None } else { Some(own_namespace(global, world)?) };
    let pattern = args.filter.as_deref().map(pattern).transpose()?;
    let selector = args.selector.as_deref().map(Selector::parse).transpose()?.unwrap_or_default();
    let filter = filter(args);
    let revisions = read(global, world, report, async |records| {
        let known = records.all(place.as_deref()).await?;
        let wanted: Vec<Known> = candidates(known, &filter)
            .into_iter()
            .filter(|known| pattern.as_ref().is_none_or(|pattern| pattern.is_match(&known.release.name)))
            .filter(|known| selector.accepts(&known.labels))
            .collect();
        let (found, broken) = records.read_newest(place.as_deref(), &wanted).await?;
        Ok(Read { found, broken })
    })?;
    let revisions = listed(revisions.into_iter().map(|kept| kept.revision).collect(), &filter);
    Ok(Done::from(print(args, &revisions, world.columns)?))
}

/// The namespace of this command.
fn own_namespace(global: &Global, world: &World<'_>) -> Result<String, Failure> {
    let (text, _) = namespace(global, world.variable, world.asks)?;
    let refused = |why| {
        let text = format!("`{}` is no namespace: {why}", secret::shown(&text));
        Failure::Input(vec![Fault::new(text, None)])
    };
    Namespace::parse(&text).map(|namespace| namespace.to_string()).map_err(refused)
}

fn pattern(text: &str) -> Result<Regex, Failure> {
    Regex::new(text).map_err(|error| {
        let text = format!("`--filter {}` is no regular expression: {error}", secret::shown(text));
        Failure::usage(text, "write it as in `--filter '^wisdom'`")
    })
}

fn filter(args: &args::List) -> Filter {
    let pending = [Status::PendingInstall, Status::PendingUpgrade, Status::PendingRollback];
    let flags: [(bool, &[Status]); 6] = [
        (args.deployed, &[Status::Deployed]),
        (args.failed, &[Status::Failed]),
        (args.pending, &pending),
        (args.superseded, &[Status::Superseded]),
        (args.uninstalled, &[Status::Uninstalled]),
        (args.uninstalling, &[Status::Uninstalling]),
    ];
    let wanted = flags.iter().filter(|(given, _)| *given && !args.all).flat_map(|(_, statuses)| *statuses);
    Filter {
        statuses: wanted.copied().collect(),
        offset: args.offset,
        max: args.max,
        order: if args.date { Order::Date } else { Order::Name },
        reverse: args.reverse,
    }
}

/// The records that need be read: the newest of each release, or every one that a later one has replaced.
fn candidates(known: Vec<Known>, filter: &Filter) -> Vec<Known> {
    if filter.is_of_superseded() {
        return known.into_iter().filter(|known| known.entry.status == Status::Superseded).collect();
    }
    // The oldest come first: the newest of a release is the one that stays.
    let place = |known: Known| ((known.release.namespace.clone(), known.release.name.clone()), known);
    known.into_iter().map(place).collect::<BTreeMap<_, _>>().into_values().collect()
}

fn print(args: &args::List, revisions: &[Revision], columns: Option<usize>) -> Result<String, Failure> {
    match (args.short, args.output) {
        (true, RecordOutput::Table) => Ok(revisions.iter().map(|revision| format!("{}\n", revision.name)).collect()),
        (true, output) => {
            let names = revisions.iter().map(|revision| Value::from(revision.name.as_str())).collect();
            written(&Value::Array(names), output)
        }
        (false, RecordOutput::Table) => {
            let head = (!args.no_headers).then(|| HEAD.map(str::to_owned).to_vec());
            let rows: Vec<Vec<String>> =
                head.into_iter().chain(revisions.iter().map(|revision| cells(revision).to_vec())).collect();
            Ok(table(&rows, &CUT, columns))
        }
        (false, output) => written(&Value::Array(revisions.iter().map(document).collect()), output),
    }
}

fn cells(revision: &Revision) -> [String; 7] {
    [
        revision.name.clone(),
        revision.namespace.clone(),
        revision.number.to_string(),
        revision.info.last_deployed.map_or_else(|| "-".to_owned(), |time| time.long()),
        revision.info.status.to_string(),
        revision.chart_label(),
        revision.app_version().to_owned(),
    ]
}

/// A release as Helm shows it to programs: the revision is a text there.
fn document(revision: &Revision) -> Value {
    let [name, namespace, number, updated, status, chart, app_version] = cells(revision);
    json!({
        "name": name, "namespace": namespace, "revision": number, "updated": updated, "status": status, "chart": chart,
        "app_version": app_version,
    })
}

/// Labels that a release must have, or must not have.
#[derive(Debug, Default, PartialEq, Eq)]
struct Selector {
    equal: BTreeSet<(String, String)>,
    unequal: BTreeSet<(String, String)>,
}

impl Selector {
    fn parse(text: &str) -> Result<Selector, Failure> {
        let mut selector = Selector::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (list, (key, value)) = match (part.split_once("!="), part.split_once('=')) {
                (Some(pair), _) => (&mut selector.unequal, pair),
                (None, Some((key, value))) => (&mut selector.equal, (key, value.strip_prefix('=').unwrap_or(value))),
                (None, None) => {
                    return Err(Failure::usage(
                        format!("`--selector`: `{}` is no label with a value", secret::shown(part)),
                        "write it as in `-l team=models,stage!=test`",
                    ));
                }
            };
            list.insert((key.trim().to_owned(), value.trim().to_owned()));
        }
        Ok(selector)
    }

    fn accepts(&self, labels: &BTreeMap<String, String>) -> bool {
        let has = |(key, value): &(String, String)| labels.get(key) == Some(value);
        self.equal.iter().all(has) && !self.unequal.iter().any(has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_selected_as_helm_selects_them() {
        let labels = BTreeMap::from([("team".to_owned(), "models".to_owned())]);
        for (text, accepted) in [
            ("", true),
            ("team=models", true),
            ("team==models, stage!=test", true),
            ("team!=models", false),
            ("team=models,stage=test", false),
        ] {
            assert_eq!(Selector::parse(text).unwrap().accepts(&labels), accepted, "{text}");
        }
        assert_eq!(Selector::parse("team").unwrap_err().code(), 2);
    }
}
