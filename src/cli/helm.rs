//! What pipelines written for Helm pass: its chart, its version, and its flags.

mod flags;

use std::ffi::OsString;

use clap::{Arg, ArgMatches, Command};

use super::args::Named;
use super::failure::Failure;
use super::report::Report;
use super::request::Verb;
use super::secret;
use flags::{
    CHANGE, CHANGES, EVERYWHERE, Harmless, LINT, REFUSED, REFUSED_CHANGE, REFUSED_UNINSTALL, Refused, TEMPLATE,
    UNINSTALL, argument,
};

/// Adds Helm's flags, hidden from the help, to the commands that have Helm's names.
///
/// Only those that are among the words: to build all of them costs a fifth of the time that `--version` takes.
pub(super) fn accept(command: Command, words: &[OsString]) -> Command {
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let given = |name: &str, short: Option<char>| {
        words.iter().any(|word| match word.strip_prefix("--") {
            Some(long) => long.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')),
            None => word.starts_with('-') && short.is_some_and(|short| word.contains(short)),
        })
    };
    let chosen = |flags: &[&[Harmless]]| -> Vec<Arg> {
        let flags = flags.iter().copied().flatten().filter(|flag| given(flag.0, flag.1));
        flags.map(|flag| argument(flag.0, flag.1, flag.2)).collect()
    };
    let refused = |flags: &'static [Refused]| -> Vec<Arg> {
        let refused = flags.iter().filter(|flag| given(flag.name, flag.short));
        refused.map(|flag| argument(flag.name, flag.short, flag.takes)).collect()
    };
    // Those that commands of the cluster heed are known already.
    let known: Vec<String> = command.get_arguments().filter_map(Arg::get_long).map(str::to_owned).collect();
    let is_new = |flag: &Arg| flag.get_long().is_none_or(|long| !known.iter().any(|known| known == long));
    let everywhere: Vec<Arg> = chosen(&[&EVERYWHERE]).into_iter().filter(is_new).collect();
    let mut command = command
        .args(everywhere.into_iter().map(|flag| flag.global(true)))
        .mut_subcommand("template", |template| template.args(chosen(&TEMPLATE)).args(refused(&REFUSED)))
        .mut_subcommand("lint", |lint| lint.args(chosen(&[&LINT])));
    if cfg!(feature = "cluster") {
        for verb in CHANGES {
            command = command.mut_subcommand(verb, |change| {
                let taken: Vec<char> = change.get_arguments().filter_map(Arg::get_short).collect();
                let flags = chosen(&CHANGE).into_iter().chain(refused(&REFUSED_CHANGE));
                // A short flag that the command has itself is its own.
                let flags = flags.filter(|flag| flag.get_short().is_none_or(|short| !taken.contains(&short)));
                change.args(flags.collect::<Vec<_>>())
            });
        }
        command = command
            .mut_subcommand("delete", |delete| delete.args(chosen(&[&UNINSTALL])).args(refused(&REFUSED_UNINSTALL)));
    }
    command
}

/// Refuses the flags of Helm's whose effect r8 does not have.
pub(super) fn refuse(matches: &ArgMatches) -> Result<(), Failure> {
    let (flags, given): (&[Refused], _) = match matches.subcommand() {
        Some(("template", given)) => (&REFUSED, given),
        Some(("delete", given)) => (&REFUSED_UNINSTALL, given),
        Some((verb, given)) if CHANGES.contains(&verb) => (&REFUSED_CHANGE, given),
        _ => return Ok(()),
    };
    for flag in flags {
        // A flag that is not among the words is not known to the command.
        let Ok(Some(mut values)) = given.try_get_many::<String>(flag.name) else { continue };
        if values.any(|value| !flag.unless.contains(&value.as_str())) {
            return Err(Failure::usage(format!("`--{}`: {}", flag.name, flag.why), flag.hint));
        }
    }
    Ok(())
}

/// The names of the chart that r8 renders.
fn is_chart(name: &str) -> bool {
    name == "release" || name == "iter8/release"
}

/// The release name of NAME and CHART; a lone chart under Helm's verb names no release.
pub(super) fn release_name(named: &Named, verb: Verb, report: &mut Report<'_>) -> Result<Option<String>, Failure> {
    let other = |chart: &str| {
        let chart = secret::shown(chart);
        Failure::usage(
            format!("r8 renders the Iter8 chart `release` only, found `{chart}`"),
            "leave the chart out: `NAME -f values.yaml` is enough",
        )
    };
    match (named.name.as_deref(), named.chart.as_deref()) {
        (_, Some(chart)) if !is_chart(chart) => Err(other(chart)),
        (Some(name), None) if verb == Verb::Helm && is_chart(name) => {
            note_chart(name, report);
            Ok(None)
        }
        // No release has such a name, and Helm takes a lone argument for the chart.
        (Some(name), None) if verb == Verb::Helm && (name.contains('/') || name.starts_with('.')) => Err(other(name)),
        (name, _) => Ok(name.map(str::to_owned)),
    }
}

/// Takes a lone chart out of the arguments of `helm lint`.
pub(super) fn without_chart(mut arguments: Vec<String>, verb: Verb, report: &mut Report<'_>) -> Vec<String> {
    let chart = |argument: &String| is_chart(argument) && !std::path::Path::new(argument).exists();
    if verb == Verb::Helm && arguments.len() == 1 && arguments.iter().all(chart) {
        arguments.iter().for_each(|name| note_chart(name, report));
        arguments.clear();
    }
    arguments
}

fn note_chart(name: &str, report: &mut Report<'_>) {
    let text = format!("`{name}` is taken for the chart; the release name comes from the values");
    report.message("note", &text, None);
}

/// The value that `iter8Version` has where the values give none, for a version of the chart; none for r8's own default.
pub(super) fn iter8_version(chart_version: Option<&str>) -> Result<Option<&'static str>, Failure> {
    let Some(given) = chart_version.filter(|version| !version.is_empty()) else { return Ok(None) };
    let number = given.trim_start_matches(['v', '^', '~', '=']);
    let is = |known: &str| number.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    if is("0.18") {
        Ok(None)
    } else if is("1.1") {
        Ok(Some("v1.1"))
    } else {
        let given = secret::shown(given);
        Err(Failure::usage(
            format!("`--version {given}`: r8 knows versions 0.18 and 1.1 of the chart"),
            "write `--version 0.18` or `--version 1.1`",
        ))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::args::Arguments;
    use super::flags::Takes::{Optional, Switch, Value};
    use super::*;

    #[test]
    fn every_flag_of_helm_that_changes_nothing_is_accepted() {
        let mut cases = vec![("template", &TEMPLATE[..], &[][..]), ("lint", &[&LINT], &[])];
        if cfg!(feature = "cluster") {
            cases.extend(CHANGES.map(|verb| (verb, &CHANGE[..], &["shop"][..])));
            cases.push(("delete", &[&UNINSTALL], &["shop"]));
        }
        for (verb, flags, more) in cases {
            // Commands of the cluster heed those that say how to reach it.
            let flags = EVERYWHERE
                .iter()
                .filter(|flag| more.is_empty() || flag.0 == "debug")
                .chain(flags.iter().copied().flatten());
            let words = flags.flat_map(|Harmless(name, _, takes)| match takes {
                Value => vec![format!("--{name}"), "-x".to_owned()],
                Optional => vec![format!("--{name}"), format!("--{name}=x")],
                Switch => vec![format!("--{name}"), format!("--{name}=false")],
            });
            let words: Vec<OsString> = ["r8", verb]
                .iter()
                .chain(more)
                .map(|word| (*word).to_owned())
                .chain(words)
                .map(OsString::from)
                .collect();
            let command = accept(Arguments::command(), &words);
            command.clone().debug_assert();
            let matches = command.try_get_matches_from(&words).unwrap();
            assert!(refuse(&matches).is_ok());
        }
    }

    #[test]
    fn every_flag_of_helm_with_an_effect_is_refused() {
        let mut all: Vec<(&str, &Refused)> = REFUSED.iter().map(|flag| ("template", flag)).collect();
        if cfg!(feature = "cluster") {
            all.extend(CHANGES.iter().flat_map(|verb| REFUSED_CHANGE.iter().map(move |flag| (*verb, flag))));
            all.extend(REFUSED_UNINSTALL.iter().map(|flag| ("delete", flag)));
        }
        for (verb, flag) in all {
            let words = ["r8", verb, "shop", &format!("--{}=server", flag.name)].map(OsString::from);
            let command = accept(Arguments::command(), &words);
            let refused = refuse(&command.try_get_matches_from(&words).unwrap());
            assert_eq!(refused.unwrap_err().code(), 2, "{}", flag.name);
        }
    }

    #[test]
    fn the_version_of_the_chart_decides_the_default_of_iter8_version() {
        for (given, default) in [
            (None, None),
            (Some(""), None),
            (Some("0.18"), None),
            (Some("v0.18.5"), None),
            (Some("^0.18"), None),
            (Some("1.1"), Some("v1.1")),
            (Some("~1.1.2"), Some("v1.1")),
        ] {
            assert_eq!(iter8_version(given).unwrap(), default, "{given:?}");
        }
        for other in ["0.17", "0.180", "1.10", "1", ">=0.18", "latest"] {
            assert_eq!(iter8_version(Some(other)).unwrap_err().code(), 2, "{other}");
        }
    }
}
