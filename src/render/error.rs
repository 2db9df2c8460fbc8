//! What can go wrong in a template, and whose mistake it is.

use minijinja::ErrorKind;
use thiserror::Error;

use crate::manifest::{ManifestError, ReadError};
use crate::route::RouteError;
use crate::templates::Catalog;

/// How the message of a text begins that cannot be read back.
const NO_YAML: &str = "writes no YAML";

/// One fault of rendering.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RenderError {
    /// A template fails, or writes something that is no object.
    #[error("template `{file}{}`: {message}", line.map(|line| format!(":{line}")).unwrap_or_default())]
    Template {
        /// Path of the template below `templates/`.
        file: String,
        /// Line, from 1; none where it cannot be told which one writes what is wrong.
        line: Option<usize>,
        /// What the engine or the reader says.
        message: String,
        /// Whether it is the user's own template.
        own: bool,
    },
    /// A file that the strategy needs is not there.
    #[error("there is no template `{file}`")]
    Missing {
        /// Its path below `templates/`.
        file: String,
    },
    /// The routemap does not fit a ConfigMap.
    #[error("the routemap of {versions} versions has {size} bytes, a ConfigMap holds at most {most}")]
    TooLarge {
        /// Bytes of the routemap.
        size: usize,
        /// The limit in bytes.
        most: usize,
        /// How many versions there are.
        versions: usize,
    },
    /// More text than r8 writes for one release, from r8's own templates.
    #[error("template `{file}` writes too much: more than {most} bytes of all templates together")]
    TooMuch {
        /// Path of the template below `templates/`.
        file: String,
        /// The limit in bytes.
        most: usize,
    },
    /// Two objects with one key, or an object that cannot be written.
    #[error("{0}")]
    Manifest(String),
    /// Something that a check before should have found.
    #[error("{0}")]
    Internal(String),
}

/// Why a release could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct RenderErrors(pub RenderError);

/// Where in a template a mistake is.
#[derive(Clone)]
pub(super) struct Place {
    pub file: String,
    /// Line, from 1; none where it cannot be told.
    pub line: Option<usize>,
    /// Whether it is the user's own template.
    pub own: bool,
}

impl RenderErrors {
    pub(super) fn template(error: &minijinja::Error, path: &str, catalog: &Catalog) -> RenderErrors {
        // The innermost cause is in the file that was included last: the one to repair.
        let mut inner = error;
        while let Some(next) = std::error::Error::source(inner).and_then(|source| source.downcast_ref()) {
            inner = next;
        }
        let file = inner.name().or(error.name()).unwrap_or(path).to_owned();
        let message =
            inner.detail().map_or_else(|| inner.kind().to_string(), |detail| format!("{}: {detail}", inner.kind()));
        let line = inner.line().or(error.line());
        let message = if inner.kind() == ErrorKind::OutOfFuel {
            "runs too long: a loop without an end, or one of too many steps".to_owned()
        } else {
            message
        };
        RenderErrors(RenderError::Template { own: catalog.is_own(&file), file, line, message })
    }

    pub(super) fn too_much(path: &str, most: usize, catalog: &Catalog) -> RenderErrors {
        let file = path.to_owned();
        if catalog.is_own(path) {
            let message = format!("writes too much: more than {most} bytes of all templates together");
            return RenderErrors(RenderError::Template { file, line: None, message, own: true });
        }
        RenderErrors(RenderError::TooMuch { file, most })
    }

    /// A text that is no YAML.
    pub(super) fn text(place: &Place, error: &ReadError, text: &str) -> RenderErrors {
        let written = text.lines().nth(error.line.saturating_sub(1)).unwrap_or_default().trim();
        let message = format!("{NO_YAML}: {error}, in line {} of what it writes: `{written}`", error.line);
        RenderErrors::written(place, message)
    }

    /// A text that is not what it should be.
    pub(super) fn written(place: &Place, message: String) -> RenderErrors {
        let Place { file, line, own } = place.clone();
        RenderErrors(RenderError::Template { file, line, message, own })
    }

    /// A text that is no route.
    pub(super) fn route(place: &Place, error: &RouteError) -> RenderErrors {
        let of_text = error.line().filter(|_| place.line.is_none());
        let line = of_text.map(|line| format!(", in line {line} of what it writes")).unwrap_or_default();
        RenderErrors::written(place, format!("{error}{line}"))
    }

    pub(super) fn missing(file: &str) -> RenderErrors {
        RenderErrors(RenderError::Missing { file: file.to_owned() })
    }

    pub(super) fn too_large(size: usize, most: usize, versions: usize) -> RenderErrors {
        RenderErrors(RenderError::TooLarge { size, most, versions })
    }

    pub(super) fn internal(message: String) -> RenderErrors {
        RenderErrors(RenderError::Internal(message))
    }

    /// Whether the values or the user's templates are to blame, and not r8.
    pub fn is_input(&self) -> bool {
        match &self.0 {
            RenderError::Template { own, .. } => *own,
            RenderError::Missing { .. } | RenderError::TooLarge { .. } => true,
            RenderError::TooMuch { .. } | RenderError::Manifest(_) => true,
            RenderError::Internal(_) => false,
        }
    }

    /// The stable name of the rule that is broken, in kebab-case; [`crate::findings::RULES`] says what each means.
    pub fn rule(&self) -> &'static str {
        match &self.0 {
            RenderError::Template { .. } => "template-fails",
            RenderError::Missing { .. } => "template-missing",
            RenderError::TooLarge { .. } => "routemap-too-large",
            RenderError::TooMuch { .. } => "templates-write-too-much",
            RenderError::Manifest(_) => "object-unwritable",
            RenderError::Internal(_) => "internal-error",
        }
    }

    /// How to repair it.
    pub fn hint(&self) -> Option<String> {
        match &self.0 {
            RenderError::TooLarge { .. } => Some("release fewer versions, or use `--routing route`".into()),
            RenderError::Template { own: true, message, .. } if message.starts_with(NO_YAML) => {
                Some("`{{ x }}` writes one whole value, quotes and all; join texts with `~`".into())
            }
            _ => None,
        }
    }
}

impl From<ManifestError> for RenderErrors {
    fn from(error: ManifestError) -> RenderErrors {
        RenderErrors(RenderError::Manifest(error.to_string()))
    }
}
