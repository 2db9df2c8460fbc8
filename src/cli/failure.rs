//! Why a command ends without having done its work, and with which exit code.

use std::io;
use std::sync::Arc;

use super::secret;
use crate::render::{RenderError, RenderErrors};
use crate::spec::SpecErrors;
use crate::templates::{self, TemplatesError};
use crate::values::{Source, ValuesError, ValuesErrors};

/// The exit code of a command whose versions are not ready in time, or whose objects are not gone in time.
#[cfg(feature = "cluster")]
pub(super) const LATE: u8 = 4;
/// The exit code of what is not done unasked.
pub(super) const REFUSED: u8 = 5;
/// The exit code of a command that stopped after its first write.
#[cfg(feature = "cluster")]
pub(super) const STOPPED: u8 = 6;
/// The exit code of a command that the user has stopped.
#[cfg(feature = "cluster")]
pub(super) const INTERRUPTED: u8 = 130;

/// A failed command.
#[derive(Debug)]
pub(super) enum Failure {
    /// Mistakes in what the user gave, outside the values: words, files, templates.
    Input(Vec<Fault>),
    /// Texts that are no values, beside files that cannot be read at all.
    Values(Vec<Fault>, ValuesErrors, Vec<Source>),
    /// Values that are no release, beside mistakes in their texts that did not stop the reader.
    Spec(Vec<ValuesError>, SpecErrors, Vec<Source>),
    /// A mistake against a rule that has a name of its own: of templates, of key tables, `--strict`.
    Rule(&'static str, Box<Fault>),
    /// The cluster, or the way to it.
    #[cfg(feature = "cluster")]
    Cluster(Fault),
    /// What is not done unasked.
    Refused(Vec<Fault>),
    /// A mistake of r8's own.
    Bug(String),
    /// Everything has been reported; the exit code, of several releases the worst.
    Reported(u8),
    /// The user has stopped a command that writes nothing, or has not yet.
    #[cfg(feature = "cluster")]
    Interrupted,
    /// The operating system refuses something.
    System(anyhow::Error),
}

/// One mistake outside the values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub place: Option<Place>,
    /// How to repair it.
    pub hint: Option<String>,
}

/// A place in a file that is not one of the values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The path as a person would open it.
    pub path: String,
    /// Line, from 1; none where the file is all that is known.
    pub line: Option<u32>,
    /// Column in characters, from 1; none where the line is all that is known.
    pub column: Option<u32>,
    /// How many characters are meant; none where it is the word that stands there.
    pub length: Option<u32>,
    /// The file's content; none where there is no line to show.
    pub text: Option<Arc<str>>,
}

impl Place {
    /// As `path:line:column`, so far as it is known.
    pub fn words(&self) -> String {
        let numbers = self.line.into_iter().chain(self.column).map(|number| format!(":{number}"));
        format!("{}{}", self.path, numbers.collect::<String>())
    }
}

impl Fault {
    /// A mistake at no place in a file.
    pub fn new(message: impl Into<String>, hint: Option<&str>) -> Fault {
        Fault { message: message.into(), place: None, hint: hint.map(str::to_owned) }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure::Input(vec![fault])
    }
}

impl Failure {
    /// The exit code: 2 for input, 5 for a refusal, 130 for an interruption, 0 for a reader that has gone, else 1.
    pub fn code(&self) -> u8 {
        match self {
            Failure::System(error) if reader_gone(error) => 0,
            Failure::System(_) | Failure::Bug(_) => 1,
            #[cfg(feature = "cluster")]
            Failure::Cluster(_) => 1,
            Failure::Refused(_) => REFUSED,
            #[cfg(feature = "cluster")]
            Failure::Interrupted => INTERRUPTED,
            Failure::Reported(code) => *code,
            Failure::Input(_) | Failure::Values(..) | Failure::Spec(..) | Failure::Rule(..) => 2,
        }
    }

    /// A mistake in the words of the command line.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure::Input(vec![Fault { message: message.into(), place: None, hint: Some(hint.into()) }])
    }

    /// A refusal of the operating system, with what r8 was doing.
    pub fn system(doing: impl Into<String>, error: io::Error) -> Failure {
        Failure::System(anyhow::Error::new(error).context(doing.into()))
    }

    /// What `--strict` says where there are warnings.
    pub fn strict() -> Failure {
        let fault = Fault::new("there are warnings, which `--strict` takes for errors", None);
        Failure::Rule("strict", Box::new(fault))
    }

    /// A mistake in a catalog; `folder` is the user's, where the file of the mistake lies.
    pub fn templates(error: &TemplatesError, folder: Option<&str>) -> Failure {
        let own = |folder: &str, place: &templates::Place| Place {
            column: Some(place.column),
            ..own(folder, &place.file, Some(place.line))
        };
        let place = error.place().zip(folder).map(|(place, folder)| own(folder, place));
        // The reader of YAML names the place once more.
        let message = error.to_string().split(" at line ").next().unwrap_or_default().to_owned();
        Failure::Rule(error.rule(), Box::new(Fault { message, place, hint: error.hint() }))
    }

    /// A release that cannot be rendered; `folder` is that of the user's templates.
    pub fn render(error: &RenderErrors, folder: Option<&str>) -> Failure {
        match (&error.0, folder) {
            // r8's own templates have been tried with r8's own tables: what they read is the user's.
            (RenderError::Template { own: false, .. }, Some(folder)) => {
                let hint = format!(
                    "the template is r8's own; what it reads comes from the tables and templates in `{folder}`"
                );
                Failure::usage(secret::shown(&error.to_string()), hint)
            }
            _ if !error.is_input() => Failure::Bug(error.to_string()),
            (RenderError::Template { file, line, message, .. }, Some(folder)) => {
                let place = own(folder, file, line.and_then(|line| u32::try_from(line).ok()));
                // A message about the kind begins with a word that sounds like the key of a secret.
                let message = match message.strip_prefix("Secret ") {
                    Some(rest) => format!("Secret {}", secret::shown(rest)),
                    None => secret::shown(message),
                };
                Failure::Rule(error.rule(), Box::new(Fault { message, place: Some(place), hint: error.hint() }))
            }
            _ => {
                let fault = Fault { message: error.to_string(), place: None, hint: error.hint() };
                Failure::Rule(error.rule(), Box::new(fault))
            }
        }
    }
}

/// Whether the reader of a pipe went away before everything was written.
pub(super) fn reader_gone(error: &anyhow::Error) -> bool {
    let io = |cause: &(dyn std::error::Error + 'static)| cause.downcast_ref::<io::Error>().map(io::Error::kind);
    error.chain().filter_map(io).any(|kind| kind == io::ErrorKind::BrokenPipe)
}

/// A place in one of the user's templates, with its text as it is on the disk now.
fn own(folder: &str, file: &str, line: Option<u32>) -> Place {
    let path = format!("{}/{file}", folder.trim_end_matches('/'));
    let text = std::fs::read_to_string(&path).ok().map(Arc::from);
    Place { path, line, column: None, length: None, text }
}
