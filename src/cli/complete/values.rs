//! Candidates that the templates and the disk tell.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter};

use crate::cli::man;
use crate::cli::request::catalog;
use crate::cli::target::CLUSTER;
use crate::target::{Table, Version};
use crate::templates::{Catalog, EnvironmentSummary, Form};

/// The key of the environment, and that of the strategy.
const ENVIRONMENT: &str = "environment";
const STRATEGY: &str = "application.strategy";

fn known(folder: Option<&str>) -> Vec<EnvironmentSummary> {
    catalog(folder).unwrap_or_else(|_| Catalog::embedded()).environments()
}

/// The environments.
pub(super) fn environments(folder: Option<&str>) -> Vec<CompletionCandidate> {
    known(folder).iter().map(|environment| candidate(&environment.name, &environment.doc)).collect()
}

/// Every ENVIRONMENT/STRATEGY that has templates to show.
pub(super) fn places(folder: Option<&str>) -> Vec<CompletionCandidate> {
    let of_one = |environment: EnvironmentSummary| {
        let place = |strategy: &String| format!("{}/{strategy}", environment.name);
        let help = environment.doc.clone();
        environment.strategies.iter().map(|strategy| candidate(&place(strategy), &help)).collect::<Vec<_>>()
    };
    known(folder).into_iter().flat_map(of_one).collect()
}

/// Keys of values that are one text or number and stand in no list; behind the `=`, environments and strategies.
pub(super) fn assignments(current: &OsStr, folder: Option<&str>) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    let all: Vec<(String, String)> = match current.split_once('=') {
        Some((ENVIRONMENT, _)) => {
            let of_one = |environment: EnvironmentSummary| (environment.name, environment.doc);
            known(folder).into_iter().map(of_one).map(|(name, doc)| (format!("{ENVIRONMENT}={name}"), doc)).collect()
        }
        Some((STRATEGY, _)) => {
            let mut names: Vec<String> =
                known(folder).into_iter().flat_map(|environment| environment.strategies).collect();
            names.sort();
            names.dedup();
            names.into_iter().map(|name| (format!("{STRATEGY}={name}"), String::new())).collect()
        }
        Some(_) => Vec::new(),
        None => keys(folder).into_iter().map(|(key, doc)| (format!("{key}="), doc)).collect(),
    };
    let begun = all.into_iter().filter(|(text, _)| text.starts_with(current));
    begun.map(|(text, doc)| candidate(&text, &doc)).collect()
}

fn keys(folder: Option<&str>) -> BTreeMap<String, String> {
    let catalog = catalog(folder).unwrap_or_else(|_| Catalog::embedded());
    let environments = catalog.names().into_iter().filter_map(|name| catalog.environment(&name).ok());
    let rules = environments.flat_map(|environment| environment.table.keys);
    let is_one = |form: Form| {
        let many = [Form::Map, Form::List, Form::Objects, Form::ContainerPorts, Form::Labels, Form::Annotations];
        !many.contains(&form)
    };
    rules
        .filter(|(key, rule)| !key.contains("[]") && rule.dead.is_none() && is_one(rule.form))
        .map(|(key, rule)| (key, rule.doc))
        .collect()
}

/// The file behind `PATH=`.
pub(super) fn file(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some((key, path)) = current.to_str().and_then(|current| current.split_once('=')) else { return Vec::new() };
    let found = PathCompleter::file().complete(OsStr::new(path));
    found.into_iter().map(|candidate| candidate.add_prefix(format!("{key}="))).collect()
}

/// The products of a target; behind the `=`, the versions that the table knows, the newest first.
pub(super) fn targets(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    let table = Table::embedded();
    let all: Vec<(String, &str)> = match current.split_once('=') {
        Some((name, _)) => {
            let ranges = table.product(name).into_iter().flat_map(|product| &product.versions);
            let versions = ranges.flat_map(|[first, last]| {
                let (major, minors) = (first.0.major, first.0.minor..=last.0.minor);
                minors.map(move |minor| Version { major, minor })
            });
            let mut versions: Vec<Version> = versions.collect();
            versions.sort_by(|a, b| b.cmp(a));
            versions.into_iter().map(|version| (format!("{name}={version}"), "")).collect()
        }
        None => {
            let cluster = cfg!(feature = "cluster").then(|| (CLUSTER.to_owned(), "What the cluster says of itself"));
            let products = table.products.iter().map(|product| (format!("{}=", product.name), "Its version"));
            cluster.into_iter().chain(products).collect()
        }
    };
    let begun = all.into_iter().filter(|(text, _)| text.starts_with(current));
    begun.map(|(text, help)| candidate(&text, help)).collect()
}

/// The commands below these words that have a page of the manual.
pub(super) fn pages(words: &[String]) -> Vec<CompletionCandidate> {
    man::pages(words).iter().map(|(name, about)| candidate(name, about)).collect()
}

fn candidate(value: &str, help: &str) -> CompletionCandidate {
    let help = (!help.is_empty()).then(|| help.to_owned().into());
    CompletionCandidate::new(value).help(help)
}
