//! The command line: streams, environment, exit codes.

#[cfg(feature = "cluster")]
mod aim;
#[cfg(feature = "cluster")]
mod apply;
mod args;
mod columns;
mod complete;
mod completions;
#[cfg(feature = "cluster")]
mod connect;
#[cfg(feature = "cluster")]
mod delete;
mod diff;
mod document;
mod excerpt;
mod explain;
mod failure;
mod files;
#[cfg(feature = "cluster")]
mod get;
mod glob;
mod helm;
#[cfg(feature = "cluster")]
mod history;
mod kubeconfig;
#[cfg(feature = "cluster")]
mod list;
#[cfg(feature = "cluster")]
mod live;
mod man;
mod message;
#[cfg(feature = "cluster")]
mod outcome;
mod pager;
#[cfg(feature = "cluster")]
mod prepare;
#[cfg(feature = "cluster")]
mod progress;
mod read;
#[cfg(feature = "cluster")]
mod recorded;
mod recorder;
#[cfg(feature = "cluster")]
mod records;
mod render;
mod report;
mod request;
#[cfg(feature = "cluster")]
mod rollback;
mod schema;
mod secret;
mod sources;
#[cfg(feature = "cluster")]
mod status;
mod target;
mod templates;
mod validate;
mod wanted;
mod welcome;
#[cfg(feature = "cluster")]
mod work;

use std::ffi::OsString;
use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;

use args::{Arguments, Color, Command};
use failure::Failure;
use report::Report;
use request::{Verb, World};

/// What a command has done.
struct Done {
    /// What is printed on stdout.
    text: String,
    /// The exit code, of a command that did its work.
    code: u8,
}

impl From<String> for Done {
    fn from(text: String) -> Done {
        Done { text, code: 0 }
    }
}

/// Which streams are terminals, for colour, pager and tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terminals {
    /// Whether results go to one.
    pub stdout: bool,
    /// Whether messages go to one.
    pub stderr: bool,
    /// How many characters a line of it has; none where nothing tells.
    pub columns: Option<usize>,
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    // A value that is no Unicode is refused where it is used, by what it is read as.
    let variable = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
    let size = terminal_size::terminal_size_of(&stdout).or_else(|| terminal_size::terminal_size_of(&stderr));
    let columns = size.map(|(width, _)| usize::from(width.0));
    let terminals = Terminals { stdout: stdout.is_terminal(), stderr: stderr.is_terminal(), columns };
    let code = run(
        std::env::args_os(),
        &mut std::io::stdin(),
        &mut std::io::stdout(),
        &mut std::io::stderr(),
        &variable,
        terminals,
    );
    ExitCode::from(code)
}

/// Runs one command and gives its exit code, one of those that `r8 man` explains.
///
/// Results go to `stdout`, and only when the whole result is good; everything else goes to `stderr`.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    stdin: &mut dyn Read,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
    variable: &dyn Fn(&str) -> Option<String>,
    terminals: Terminals,
) -> u8 {
    let mut report = Report::new(stderr);
    let words: Vec<OsString> = arguments.into_iter().collect();
    if let [_, verb, words @ ..] = words.as_slice()
        && verb == complete::VERB
    {
        // A shell that does not read has no use for a message.
        let _ = stdout.write_all(complete::answer(words, variable).as_bytes());
        return 0;
    }
    let mut is_paged = false;
    let printed = match args::parse(&words) {
        _ if words.len() < 2 => Ok(Done::from(welcome::TEXT.to_owned())),
        Ok((arguments, accepted)) => {
            report.color = colored(arguments.global.color, variable, terminals.stderr);
            let color = colored(arguments.global.color, variable, terminals.stdout);
            let can = variable("TERM").is_some_and(|name| name != "dumb");
            let columns = variable("COLUMNS").and_then(|text| text.parse().ok()).filter(|columns| *columns > 0);
            let columns = columns.or(terminals.columns);
            let mut world = World {
                stdin,
                out: &mut *stdout,
                variable,
                command: name(&arguments.command),
                asks: asks(&arguments.command),
                color,
                live: terminals.stderr && can,
                columns: columns.filter(|_| terminals.stdout),
                line: columns.filter(|_| terminals.stderr),
            };
            is_paged = terminals.stdout && can && !arguments.global.no_pager && is_to_be_read(&arguments.command);
            accepted.and_then(|()| command(&arguments, &mut world, &mut report))
        }
        Err(error) if error.use_stderr() => {
            report.usage(&error.render().to_string(), &words);
            return 2;
        }
        Err(help) => Ok(Done::from(help.render().to_string())),
    };
    let done = printed.and_then(|done| {
        if is_paged && !done.text.is_empty() && pager::page(&done.text, variable) {
            return Ok(done.code);
        }
        let written = stdout.write_all(done.text.as_bytes()).and_then(|()| stdout.flush());
        written.map(|()| done.code).map_err(|error| Failure::system("cannot write to stdout", error))
    });
    match done {
        Ok(code) => code,
        Err(failure) => {
            report.failure(&failure);
            failure.code()
        }
    }
}

/// How a command that reads values is called; empty for others.
fn name(command: &Command) -> &'static str {
    match command {
        Command::Render(_) => "render",
        Command::Template(_) => "template",
        Command::Validate(_) => "validate",
        Command::Lint(_) => "lint",
        Command::Explain(_) => "explain",
        Command::Diff(_) => "diff",
        #[cfg(feature = "cluster")]
        Command::Apply(_) => "apply",
        #[cfg(feature = "cluster")]
        Command::Upgrade(_) => "upgrade",
        #[cfg(feature = "cluster")]
        Command::Install(_) => "install",
        _ => "",
    }
}

/// Whether a command asks a cluster.
fn asks(command: &Command) -> bool {
    match command {
        Command::Render(_) | Command::Template(_) | Command::Validate(_) | Command::Lint(_) | Command::Templates(_) => {
            false
        }
        Command::Schema(_) | Command::Completions(_) | Command::Man(_) => false,
        #[cfg(feature = "cluster")]
        Command::Explain(args) => args.live,
        #[cfg(not(feature = "cluster"))]
        Command::Explain(_) => false,
        Command::Diff(args) => diff::asks(args),
        #[cfg(feature = "cluster")]
        _ => true,
    }
}

fn command(arguments: &Arguments, world: &mut World<'_>, report: &mut Report<'_>) -> Result<Done, Failure> {
    let global = &arguments.global;
    let printed = match &arguments.command {
        Command::Render(args) => render::run(args, global, Verb::Own, world, report),
        Command::Template(args) => render::run(args, global, Verb::Helm, world, report),
        Command::Validate(args) => return validate::run(args, global, Verb::Own, world, report),
        Command::Lint(args) => return validate::run(args, global, Verb::Helm, world, report),
        Command::Schema(args) => schema::run(args, report),
        Command::Explain(args) => explain::run(args, global, world, report),
        Command::Templates(args) => templates::run(args, world, report),
        Command::Completions(args) => Ok(completions::run(args)),
        Command::Man(args) => man::run(args),
        Command::Diff(args) => return diff::run(args, global, world, report),
        #[cfg(feature = "cluster")]
        Command::Apply(args) => return apply::run(args, global, Verb::Own, world, report),
        #[cfg(feature = "cluster")]
        Command::Upgrade(args) | Command::Install(args) => {
            return apply::run(args, global, Verb::Helm, world, report);
        }
        #[cfg(feature = "cluster")]
        Command::Rollback(args) => return rollback::run(args, global, world, report),
        #[cfg(feature = "cluster")]
        Command::Status(args) => return status::run(args, global, world, report),
        #[cfg(feature = "cluster")]
        Command::Delete(args) => return delete::run(args, global, world, report),
        #[cfg(feature = "cluster")]
        Command::History(args) => return history::run(args, global, world, report),
        #[cfg(feature = "cluster")]
        Command::List(args) => return list::run(args, global, world, report),
        #[cfg(feature = "cluster")]
        Command::Get(args) => return get::run(args, global, world, report),
    };
    printed.map(Done::from)
}

/// Whether the result is a text to be read, which may be longer than the screen.
fn is_to_be_read(command: &Command) -> bool {
    match command {
        Command::Render(_) | Command::Template(_) => true,
        Command::Templates(args) => matches!(args, args::Templates::Show { .. }),
        Command::Diff(_) => true,
        #[cfg(feature = "cluster")]
        Command::History(_) | Command::List(_) | Command::Get(_) => true,
        #[cfg(feature = "cluster")]
        Command::Apply(args) | Command::Upgrade(args) | Command::Install(args) => args.dry_run != args::DryRun::None,
        #[cfg(feature = "cluster")]
        Command::Rollback(args) => args.dry_run != args::DryRun::None,
        #[cfg(feature = "cluster")]
        Command::Delete(args) => args.dry_run,
        _ => false,
    }
}

/// Whether a stream is coloured: the flag, `NO_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR`, `HELM_COLOR`, else on a terminal that
/// can.
fn colored(flag: Option<Color>, variable: &dyn Fn(&str) -> Option<String>, terminal: bool) -> bool {
    let is_set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let wanted = flag.filter(|color| *color != Color::Auto).or_else(|| match variable("HELM_COLOR").as_deref() {
        _ if is_set("NO_COLOR").is_some() => Some(Color::Never),
        _ if is_set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => Some(Color::Always),
        _ if is_set("CLICOLOR").is_some_and(|value| value == "0") => Some(Color::Never),
        Some("always") => Some(Color::Always),
        Some("never") => Some(Color::Never),
        _ => None,
    });
    match wanted {
        Some(Color::Always) => true,
        Some(Color::Never) => false,
        Some(Color::Auto) | None => terminal && variable("TERM").as_deref() != Some("dumb"),
    }
}
