//! `man`: pages of the manual, from the same texts as the help.

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::args::{self, Arguments};
use super::failure::Failure;
use super::files;

/// What every exit code means.
const EXIT_STATUS: [(&str, &str); 8] = [
    ("0", "Done; for `diff`, also when there are changes, unless `--exit-code` is given"),
    ("1", "Failed: cluster, network, file system, or a bug"),
    ("2", "Invalid input: usage, values, templates of the user; with `--strict` also warnings"),
    ("3", "Changes found, by `diff --exit-code` alone"),
    ("4", "Not ready in time, or failed for good; not gone in time"),
    (
        "5",
        "Refused: another owner, a field conflict, a release that is locked; with `diff --strict` what `apply` would refuse",
    ),
    ("6", "Stopped after the first write; what was written and what was not is said"),
    ("130", "Interrupted; what goes on is said"),
];

/// What is read of the environment.
const ENVIRONMENT: [(&str, &str); 12] = [
    ("HELM_NAMESPACE", "Namespace of the release, without `-n`"),
    ("KUBECONFIG", "Files that server, user and namespace are read from, without `--kubeconfig`"),
    ("HELM_KUBECONTEXT", "Context of the kubeconfig, without `--kube-context`"),
    (
        "HELM_KUBEAPISERVER, HELM_KUBECAFILE, HELM_KUBETOKEN",
        "As the flags `--kube-apiserver`, `--kube-ca-file`, `--kube-token`",
    ),
    ("HELM_KUBEASUSER, HELM_KUBEASGROUPS", "As the flags `--kube-as-user`, `--kube-as-group`"),
    ("HELM_DRIVER", "Where release records are kept: secret (the default) or configmap"),
    ("HELM_MAX_HISTORY", "How many revisions are kept, without `--history-max`"),
    ("NO_COLOR", "When not empty, nothing is coloured, unless `--color always` is given"),
    (
        "CLICOLOR_FORCE, CLICOLOR, HELM_COLOR",
        "Whether to colour, in this order, behind `NO_COLOR`: a number other than 0; 0 for no; always or never",
    ),
    ("R8_PAGER, PAGER", "The program that shows long results on a terminal; empty or cat for none"),
    ("LESS", "Options of the pager less; FRX when it is not set"),
    ("COLUMNS", "How wide tables may be on a terminal"),
];

/// Runs the command; gives what is to be printed on stdout.
pub(super) fn run(args: &args::Man) -> Result<String, Failure> {
    let mut command = whole(Arguments::command()).disable_help_subcommand(true);
    command.build();
    let Some(folder) = &args.output_dir else {
        return page(&find(&command, &args.command)?);
    };
    if folder.is_empty() {
        return Err(Failure::usage("DIR is empty", "name the folder to write to, as in `r8 man --output-dir man1`"));
    }
    let mut all = Vec::new();
    collect(&command, &mut all);
    let folder = folder.trim_end_matches('/');
    let files: Result<Vec<(String, String)>, Failure> =
        all.into_iter().map(|command| Ok((format!("{folder}/{}.1", name(command)), page(command)?))).collect();
    let files = files?;
    files::write_all(&files)?;
    Ok(format!("wrote {} files to {folder}\n", files.len()))
}

/// The command with the text of every flag, those that its short help leaves out among them.
fn whole(command: Command) -> Command {
    command.mut_args(|argument| argument.hide_short_help(false)).mut_subcommands(whole)
}

/// The command that these words name; those of Helm's verbs have no pages.
fn find(root: &Command, words: &[String]) -> Result<Command, Failure> {
    let mut command = root;
    for word in words {
        let found = command.find_subcommand(word).filter(|command| !command.is_hide_set());
        command = found.ok_or_else(|| {
            let known: Vec<&str> = visible(command).map(Command::get_name).collect();
            let hint = match known.as_slice() {
                [] => format!("the page is that of `{}`", name(command).replace('-', " ")),
                known => format!("choose one of {}", known.join(", ")),
            };
            Failure::usage(format!("there is no page of `{} {word}`", name(command).replace('-', " ")), hint)
        })?;
    }
    Ok(command.clone())
}

/// The commands below the one that these words name, each with what it does; none where there is no such command.
pub(super) fn pages(words: &[String]) -> Vec<(String, String)> {
    let Ok(command) = find(&Arguments::command(), words) else { return Vec::new() };
    let about = |command: &Command| command.get_about().map(ToString::to_string).unwrap_or_default();
    visible(&command).map(|command| (command.get_name().to_owned(), about(command))).collect()
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set())
}

fn collect<'c>(command: &'c Command, all: &mut Vec<&'c Command>) {
    all.push(command);
    for command in visible(command) {
        collect(command, all);
    }
}

/// The name of the page: `r8-templates-show`.
fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(command: &Command) -> Result<String, Failure> {
    let is_root = name(command) == "r8";
    let man = Man::new(command.clone())
        .title(name(command).to_uppercase())
        // None: what is empty is not written, and what stands behind would be taken for it.
        .date("\"\"")
        .source(concat!("r8 ", env!("CARGO_PKG_VERSION")))
        .manual("r8 manual");
    let mut text = Vec::new();
    let written = man
        .render_title(&mut text)
        .and_then(|()| man.render_name_section(&mut text))
        .and_then(|()| synopsis(command).to_writer(&mut text))
        .and_then(|()| man.render_description_section(&mut text))
        .and_then(|()| man.render_options_section(&mut text));
    let has_more = visible(command).next().is_some();
    let written = written.and_then(|()| if has_more { man.render_subcommands_section(&mut text) } else { Ok(()) });
    written.map_err(|error| Failure::Bug(error.to_string()))?;
    let mut more = Roff::new();
    if is_root {
        terms(&mut more, "EXIT STATUS", &EXIT_STATUS);
        terms(&mut more, "ENVIRONMENT", &ENVIRONMENT);
    }
    if let Some(examples) = command.get_after_help() {
        self::examples(&mut more, &examples.to_string());
    }
    more.control("SH", ["SEE ALSO"]);
    match is_root {
        true => more.text([bold("kubectl"), roman("(1), "), bold("helm"), roman("(1)")]),
        false => more.text([bold("r8"), roman("(1)")]),
    };
    let text = String::from_utf8_lossy(&text).into_owned() + &more.render();
    // Every part begins with the definition of the apostrophe; an empty line has a request of its own.
    let preamble = Roff::new().render();
    let text = text.replace(&preamble, "").replace("\n\n", "\n.sp\n").replace("\n.br\n.sp\n.br\n", "\n.sp\n");
    Ok(preamble + &text)
}

/// The usage as the help has it: all flags would be a paragraph of them.
fn synopsis(command: &Command) -> Roff {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold(name), roman(usage.strip_prefix(name).unwrap_or(usage))]);
    roff
}

fn terms(roff: &mut Roff, heading: &str, terms: &[(&str, &str)]) {
    roff.control("SH", [heading]);
    for (term, what) in terms {
        roff.control("TP", []);
        roff.text([bold(*term)]);
        roff.text([roman(*what)]);
    }
}

/// The end of the help: headings, and commands indented below them.
fn examples(roff: &mut Roff, text: &str) {
    let (mut is_open, mut is_first) = (false, true);
    for line in text.lines() {
        let shown = line.strip_prefix("  ");
        if is_open && shown.is_none() {
            roff.control("EE", []);
            is_open = false;
        }
        match shown {
            Some(command) => {
                if !is_open {
                    if !is_first {
                        roff.control("PP", []);
                    }
                    roff.control("EX", []);
                    (is_open, is_first) = (true, false);
                }
                roff.text([roman(command)]);
            }
            None if matches!(line, "Example:" | "Examples:") => {
                roff.control("SH", ["EXAMPLES"]);
            }
            None if line.is_empty() => {}
            None => {
                roff.control("PP", []);
                roff.text([roman(line)]);
            }
        }
    }
    if is_open {
        roff.control("EE", []);
    }
}
