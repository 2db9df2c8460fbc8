//! What can follow the words that have been typed, for the scripts of `completions`.
//!
//! They call `r8 __complete SHELL WORD…`: the words up to the cursor, of which the last is the one to complete. The answer
//! has a line for each candidate, and behind a tab what it is. Whatever goes wrong, there are none.

#[cfg(feature = "cluster")]
mod records;
mod values;

use std::ffi::{OsStr, OsString};
use std::sync::{Arc, Mutex};

use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches, ValueHint};
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter, complete,
};

use super::args::{Arguments, Global};
use super::helm;

/// The word that asks.
pub(super) const VERB: &str = "__complete";

/// The commands whose NAME is that of a release which is there.
const OF_A_RELEASE: [&str; 11] =
    ["diff", "apply", "upgrade", "rollback", "status", "delete", "history", "explain", "values", "manifest", "all"];
/// What `--against` takes for a revision: alone the last that was live, else with a number behind the colon.
#[cfg(feature = "cluster")]
const REVISION: (&str, &str) = ("release", "release:");

/// What only the cluster can tell, and the beginning that was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Releases(String),
    Revisions(String),
    /// Those of `--against`, where files are named, too.
    Against(String),
}

/// The candidates for these words: the shell's name and what has been typed, the program's name first.
pub(super) fn answer(words: &[OsString], variable: &dyn Fn(&str) -> Option<String>) -> String {
    let Some((shell, typed)) = words.split_first() else { return String::new() };
    let (typed, cut) = match shell.to_str() {
        Some("bash") => glued(typed),
        Some("powershell") => (unmarked(typed), 0),
        _ => (typed.to_vec(), 0),
    };
    let Some((current, before)) = typed.split_last().filter(|(_, before)| !before.is_empty()) else {
        return String::new();
    };
    let said = Said::read(before);
    let asked = Arc::new(Mutex::new(None));
    let command = helm::accept(Arguments::command(), &typed);
    let mut command = knowing(command, &said, &asked);
    let folder = std::env::current_dir().ok();
    let found = complete(&mut command, typed.clone(), before.len(), folder.as_deref()).unwrap_or_default();
    let asked = asked.lock().ok().and_then(|mut asked| asked.take());
    let mut all = asked.map(|asked| known(&asked, current, &said, variable)).unwrap_or_default();
    all.extend(found.into_iter().filter(|candidate| !(candidate.is_hide_set() && candidate.get_id().is_some())));
    // Flags are offered to a word that begins as one, or where there is nothing else.
    if current.is_empty() && all.iter().any(|candidate| !is_flag(candidate)) {
        all.retain(|candidate| !is_flag(candidate));
    }
    all.iter().filter_map(|candidate| line(candidate, cut, shell != "bash")).collect()
}

fn is_flag(candidate: &CompletionCandidate) -> bool {
    candidate.get_id().is_some_and(|id| id.starts_with("arg::"))
}

/// A candidate as the scripts read it; `cut` is how much of it bash has already.
fn line(candidate: &CompletionCandidate, cut: usize, with_help: bool) -> Option<String> {
    let value = candidate.get_value().to_str()?.get(cut..)?;
    if value.contains(['\n', '\t']) {
        return None;
    }
    let help = candidate.get_help().map(|help| help.to_string()).unwrap_or_default();
    Some(match help.lines().next().filter(|_| with_help) {
        Some(help) => format!("{value}\t{help}\n"),
        None => format!("{value}\n"),
    })
}

/// The words as they were typed, which bash breaks at `=` and `:`; and how much of the last one bash does not replace.
fn glued(words: &[OsString]) -> (Vec<OsString>, usize) {
    let mut whole: Vec<OsString> = Vec::new();
    let is_sign = |word: &OsStr| !word.is_empty() && word.as_encoded_bytes().iter().all(|byte| b"=:".contains(byte));
    let mut open = false;
    for word in words {
        match whole.last_mut().filter(|_| open || is_sign(word)) {
            Some(last) => last.push(word),
            None => whole.push(word.clone()),
        }
        open = is_sign(word);
    }
    let last = whole.last().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let kept = words.last().map_or(0, |word| word.len());
    (whole, last.len().saturating_sub(kept))
}

/// The words of PowerShell, whose older versions do not pass on one that is empty: the last has a sign before it.
fn unmarked(words: &[OsString]) -> Vec<OsString> {
    let mut words = words.to_vec();
    if let Some(last) = words.last_mut()
        && let Some(text) = last.to_str().and_then(|text| text.strip_prefix('='))
    {
        *last = text.to_owned().into();
    }
    words
}

/// What the words before the one to complete say.
struct Said {
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "only the way to a cluster is read from it"))]
    global: Option<Global>,
    /// The release that is named.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "only its revisions are asked for"))]
    name: Option<String>,
    /// The folder of the user's templates.
    templates: Option<String>,
    /// The words of the command whose manual page is asked for.
    page: Vec<String>,
}

impl Said {
    fn read(words: &[OsString]) -> Said {
        let command = helm::accept(Arguments::command(), words).ignore_errors(true);
        let Ok(matches) = command.try_get_matches_from(words) else {
            return Said { global: None, name: None, templates: None, page: Vec::new() };
        };
        let global = Global::from_arg_matches(&matches).ok();
        let mut last = &matches;
        while let Some((_, below)) = last.subcommand() {
            last = below;
        }
        let page = last.try_get_many::<String>("command").ok().flatten().into_iter().flatten().cloned();
        Said { global, name: text(last, "name"), templates: text(last, "templates"), page: page.collect() }
    }
}

fn text(matches: &ArgMatches, id: &str) -> Option<String> {
    matches.try_get_one::<String>(id).ok().flatten().cloned()
}

/// The command whose arguments know what can be their values.
fn knowing(command: Command, said: &Said, asked: &Arc<Mutex<Option<Asked>>>) -> Command {
    let is_of_a_release = OF_A_RELEASE.contains(&command.get_name());
    command
        .mut_args(|argument| {
            let value = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
            match (argument.get_id().as_str(), value.as_deref()) {
                ("name", _) if is_of_a_release => cluster(argument, Asked::Releases, asked),
                ("revision", _) => cluster(argument, Asked::Revisions, asked),
                ("place", _) => {
                    let templates = said.templates.clone();
                    argument.add(ArgValueCandidates::new(move || values::places(templates.as_deref())))
                }
                ("environment", _) => {
                    let templates = said.templates.clone();
                    argument.add(ArgValueCandidates::new(move || values::environments(templates.as_deref())))
                }
                ("target", _) => argument.value_delimiter(',').add(ArgValueCompleter::new(values::targets)),
                ("command", _) => {
                    let page = said.page.clone();
                    argument.add(ArgValueCandidates::new(move || values::pages(&page)))
                }
                ("set" | "set_string" | "set_literal", _) => {
                    let templates = said.templates.clone();
                    let keys = move |current: &OsStr| values::assignments(current, templates.as_deref());
                    argument.value_delimiter(',').add(ArgValueCompleter::new(keys))
                }
                ("set_file", _) => argument.value_delimiter(',').add(ArgValueCompleter::new(values::file)),
                ("files", _) => {
                    argument.value_delimiter(',').add(ArgValueCompleter::new(PathCompleter::file().stdio()))
                }
                ("against", _) => {
                    let files = PathCompleter::file().stdio();
                    cluster_or(argument.value_delimiter(','), Asked::Against, asked, move |word| files.complete(word))
                }
                ("releases", _) => argument.add(ArgValueCompleter::new(PathCompleter::file().stdio())),
                (_, Some("FILE")) => argument.value_hint(ValueHint::FilePath),
                (_, Some("DIR")) => argument.value_hint(ValueHint::DirPath),
                _ => argument,
            }
        })
        .mut_subcommands(|command| knowing(command, said, asked))
}

/// An argument whose values the cluster tells: that it was met is noted, and asked about at the end.
fn cluster(argument: Arg, ask: fn(String) -> Asked, asked: &Arc<Mutex<Option<Asked>>>) -> Arg {
    cluster_or(argument, ask, asked, |_| Vec::new())
}

/// An argument whose values the cluster tells, or something else.
fn cluster_or(
    argument: Arg,
    ask: fn(String) -> Asked,
    asked: &Arc<Mutex<Option<Asked>>>,
    others: impl Fn(&OsStr) -> Vec<CompletionCandidate> + Send + Sync + 'static,
) -> Arg {
    let asked = Arc::clone(asked);
    argument.add(ArgValueCompleter::new(move |current: &OsStr| {
        if let (Ok(mut asked), Some(text)) = (asked.lock(), current.to_str()) {
            *asked = Some(ask(text.to_owned()));
        }
        others(current)
    }))
}

/// The candidates for what was asked, which ends the current word.
#[cfg(feature = "cluster")]
fn known(
    asked: &Asked,
    current: &OsStr,
    said: &Said,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Vec<CompletionCandidate> {
    let Some(global) = &said.global else { return Vec::new() };
    let (Asked::Releases(begun) | Asked::Revisions(begun) | Asked::Against(begun)) = asked;
    // A value may stand in one word with its flag, or behind others.
    let Some(before) = current.to_str().and_then(|word| word.strip_suffix(begun.as_str())) else { return Vec::new() };
    let revisions = || records::revisions(said.name.as_deref(), global, variable);
    let found = match asked {
        Asked::Releases(_) => records::releases(global, variable),
        Asked::Revisions(_) => revisions(),
        // A revision stands alone.
        Asked::Against(_) if before.ends_with(',') => Vec::new(),
        Asked::Against(_) if begun.starts_with(REVISION.1) => {
            revisions().into_iter().map(|(number, help)| (format!("{}{number}", REVISION.1), help)).collect()
        }
        Asked::Against(_) => vec![(REVISION.0.to_owned(), "the newest revision that was live".to_owned())],
    };
    let begins = |(value, _): &(String, String)| value.starts_with(begun.as_str());
    let candidate =
        |(value, help): (String, String)| CompletionCandidate::new(format!("{before}{value}")).help(Some(help.into()));
    found.into_iter().filter(begins).map(candidate).collect()
}

#[cfg(not(feature = "cluster"))]
fn known(_: &Asked, _: &OsStr, _: &Said, _: &dyn Fn(&str) -> Option<String>) -> Vec<CompletionCandidate> {
    Vec::new()
}
