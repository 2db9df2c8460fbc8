//! What can be wrong with a catalog.

use thiserror::Error;

/// Mistakes in a key table or in the name of an environment or strategy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplatesError {
    /// A key table is not of the right form.
    #[error("{message}")]
    Table {
        /// Path below the folder of templates.
        file: String,
        /// Line, from 1.
        line: u32,
        /// Column, from 1.
        column: u32,
        /// What the reader says.
        message: String,
    },
    /// There is no such environment.
    #[error("unknown environment `{name}`")]
    UnknownEnvironment {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The environment does not have this strategy.
    #[error("environment `{environment}` has no strategy `{strategy}`")]
    NoStrategy {
        /// The environment.
        environment: String,
        /// The strategy asked for.
        strategy: String,
        /// The strategies it has.
        known: Vec<String>,
    },
    /// A table's `base` does not exist.
    #[error("`base` names an unknown environment `{base}`")]
    UnknownBase {
        /// Path of the table.
        file: String,
        /// The name in it.
        base: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A table's `base` leads back to the environment itself.
    #[error("`base` leads back to `{base}`")]
    Cycle {
        /// Path of the table.
        file: String,
        /// The base that closes the circle.
        base: String,
    },
    /// A table names a strategy that r8 does not know.
    #[error("`strategies` names `{strategy}`, which is not a strategy of r8")]
    UnknownStrategy {
        /// Path of the table.
        file: String,
        /// The name in it.
        strategy: String,
    },
    /// `destination.object` names no object of the table.
    #[error("`destination.object` names `{object}`, which `objects` does not have")]
    UnknownObject {
        /// Path of the table.
        file: String,
        /// The name in it.
        object: String,
    },
    /// A pattern is not a regular expression.
    #[error("`keys.{key}.pattern` is not a regular expression: {message}")]
    Pattern {
        /// Path of the table.
        file: String,
        /// The key.
        key: String,
        /// What the expression's parser says.
        message: String,
    },
}

impl TemplatesError {
    /// How to repair it.
    pub fn hint(&self) -> Option<String> {
        match self {
            TemplatesError::UnknownEnvironment { name, known }
            | TemplatesError::UnknownBase { base: name, known, .. } => Some(crate::templates::nearest(name, known)),
            TemplatesError::NoStrategy { strategy, known, .. } => Some(crate::templates::nearest(strategy, known)),
            TemplatesError::UnknownStrategy { .. } => {
                Some(format!("the strategies are {}", super::STRATEGIES.join(", ")))
            }
            _ => None,
        }
    }

    /// File, line and column; none where the mistake is not in a file.
    pub fn place(&self) -> Option<(String, u32, u32)> {
        match self {
            TemplatesError::Table { file, line, column, .. } => Some((file.clone(), *line, *column)),
            TemplatesError::UnknownEnvironment { .. } | TemplatesError::NoStrategy { .. } => None,
            TemplatesError::UnknownBase { file, .. }
            | TemplatesError::Cycle { file, .. }
            | TemplatesError::UnknownStrategy { file, .. }
            | TemplatesError::UnknownObject { file, .. }
            | TemplatesError::Pattern { file, .. } => Some((file.clone(), 1, 1)),
        }
    }
}
