//! The command line: streams, environment, exit codes.

mod args;
mod failure;
mod kubeconfig;
mod render;
mod report;
mod request;
mod templates;
mod validate;

use std::ffi::OsString;
use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Color, Command};
use failure::Failure;
use report::Report;
use request::World;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let variable = |name: &str| std::env::var(name).ok();
    let terminal = std::io::stderr().is_terminal();
    let code = run(
        std::env::args_os(),
        &mut std::io::stdin(),
        &mut std::io::stdout(),
        &mut std::io::stderr(),
        &variable,
        terminal,
    );
    ExitCode::from(code)
}

/// Runs one command and gives its exit code: 0 done, 1 failed, 2 invalid input.
///
/// Results go to `stdout`, and only when the whole result is good; everything else goes to `stderr`. `terminal` says whether
/// `stderr` is one, for colour.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    stdin: &mut dyn Read,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
    variable: &dyn Fn(&str) -> Option<String>,
    terminal: bool,
) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let text = error.render().to_string();
            let written =
                if error.use_stderr() { stderr.write_all(text.as_bytes()) } else { stdout.write_all(text.as_bytes()) };
            let help = error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
            return if written.is_err() {
                1
            } else if help {
                2
            } else {
                u8::from(error.use_stderr()) * 2
            };
        }
    };
    let set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let color = match arguments.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && !set("NO_COLOR") && variable("TERM").as_deref() != Some("dumb"),
    };
    let mut report = Report { out: stderr, color };
    let mut world = World { stdin, variable };
    let printed = match &arguments.command {
        Command::Render(args) => render::run(args, &mut world, &mut report),
        Command::Validate(args) => validate::run(args, &mut world, &mut report),
        Command::Templates(args) => templates::run(args),
    };
    let done = printed.and_then(|text| {
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        written.map_err(|error| Failure::stream("stdout", error))
    });
    match done {
        Ok(()) => 0,
        // A message that cannot be written changes nothing about the outcome.
        Err(failure) => {
            let _ = report.failure(&failure);
            failure.code()
        }
    }
}
