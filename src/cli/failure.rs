//! Why a command ends without having done its work, and with which exit code.

use crate::render::RenderErrors;
use crate::spec::SpecErrors;
use crate::templates::TemplatesError;
use crate::values::{Source, ValuesErrors};

/// A failed command.
#[derive(Debug)]
pub(super) enum Failure {
    /// The words of the command line.
    Usage { message: String, hint: Option<String> },
    /// Files that cannot be read; each with the flag that names it.
    Files(Vec<String>),
    /// Texts that are no values.
    Values(ValuesErrors, Vec<Source>),
    /// Values that are no release.
    Spec(SpecErrors, Vec<Source>),
    /// Mistakes in the user's templates, or names that are not there.
    Templates(TemplatesError),
    /// A release that cannot be rendered.
    Render(RenderErrors),
    /// Several releases, some of them invalid; everything has been reported.
    Reported,
    /// The operating system refuses something.
    System { doing: String, error: std::io::Error },
}

impl Failure {
    /// The exit code: 2 for input, 1 for everything else, 0 for a reader that has gone.
    pub fn code(&self) -> u8 {
        match self {
            Failure::System { error, .. } if error.kind() == std::io::ErrorKind::BrokenPipe => 0,
            Failure::System { .. } => 1,
            Failure::Render(error) if !error.is_input() => 1,
            _ => 2,
        }
    }

    /// A failure of writing to a stream.
    pub fn stream(name: &str, error: std::io::Error) -> Failure {
        Failure::System { doing: format!("cannot write to {name}"), error }
    }
}
