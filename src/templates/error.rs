//! What can be wrong with a catalog.

use thiserror::Error;

/// A place in one of the files of a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Path below the folder of templates.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// Mistakes in a key table or in the name of an environment or strategy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplatesError {
    /// A key table is not of the right form.
    #[error("{message}")]
    Table {
        /// Where.
        place: Place,
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
        /// Where.
        place: Place,
        /// The name in it.
        base: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A table's `base` leads back to the environment itself.
    #[error("`base` leads back to `{base}`")]
    Cycle {
        /// Where.
        place: Place,
        /// The base that closes the circle.
        base: String,
    },
    /// A table names a strategy that r8 does not know.
    #[error("`strategies` names `{strategy}`, which is not a strategy of r8")]
    UnknownStrategy {
        /// Where.
        place: Place,
        /// The name in it.
        strategy: String,
    },
    /// `destination.object` names no object of the table.
    #[error("`destination.object` names `{object}`, which `objects` does not have")]
    UnknownObject {
        /// Where.
        place: Place,
        /// The name in it.
        object: String,
    },
    /// A template that the environment needs is not there.
    #[error("there is no template `{file}`")]
    Missing {
        /// Where the table asks for it.
        place: Place,
        /// Path of the template.
        file: String,
    },
    /// A strategy that routes, in an environment whose table does not say what a route is.
    #[error("strategy `{strategy}` needs `route`, the kind of the route")]
    NoRoute {
        /// Where the strategy stands.
        place: Place,
        /// The strategy.
        strategy: String,
    },
    /// A key that is not what the table says of it, or that nothing can reach.
    #[error("`keys.{key}` {wrong}")]
    Key {
        /// Where.
        place: Place,
        /// The key.
        key: String,
        /// What is wrong with it.
        wrong: String,
    },
    /// A pattern is not a regular expression.
    #[error("`keys.{key}.pattern` is not a regular expression: {message}")]
    Pattern {
        /// Where.
        place: Place,
        /// The key.
        key: String,
        /// What the expression's parser says.
        message: String,
    },
}

impl TemplatesError {
    /// The stable name of the rule that is broken, in kebab-case; [`crate::findings::RULES`] says what each means.
    pub fn rule(&self) -> &'static str {
        match self {
            TemplatesError::Table { .. } => "table-form",
            TemplatesError::UnknownEnvironment { .. } => "table-unknown-environment",
            TemplatesError::NoStrategy { .. } => "table-no-strategy",
            TemplatesError::UnknownBase { .. } => "table-unknown-base",
            TemplatesError::Cycle { .. } => "table-cycle",
            TemplatesError::UnknownStrategy { .. } => "table-unknown-strategy",
            TemplatesError::UnknownObject { .. } => "table-unknown-object",
            TemplatesError::Missing { .. } => "table-missing-template",
            TemplatesError::NoRoute { .. } => "table-without-route",
            TemplatesError::Key { .. } => "table-key",
            TemplatesError::Pattern { .. } => "table-pattern",
        }
    }

    /// How to repair it.
    pub fn hint(&self) -> Option<String> {
        match self {
            TemplatesError::UnknownEnvironment { name, known }
            | TemplatesError::UnknownBase { base: name, known, .. } => Some(crate::templates::nearest(name, known)),
            TemplatesError::NoStrategy { strategy, known, .. } => Some(crate::templates::nearest(strategy, known)),
            TemplatesError::UnknownStrategy { .. } => {
                Some(format!("the strategies are {}", super::STRATEGIES.join(", ")))
            }
            TemplatesError::Missing { .. } => Some("write it, or name a `base` that has it".into()),
            TemplatesError::NoRoute { .. } => Some("write `route: {kind: VirtualService, resource: vs}`".into()),
            _ => None,
        }
    }

    /// Where it is; none where the mistake is not in a file.
    pub fn place(&self) -> Option<&Place> {
        match self {
            TemplatesError::UnknownEnvironment { .. } | TemplatesError::NoStrategy { .. } => None,
            TemplatesError::Table { place, .. }
            | TemplatesError::UnknownBase { place, .. }
            | TemplatesError::Cycle { place, .. }
            | TemplatesError::UnknownStrategy { place, .. }
            | TemplatesError::UnknownObject { place, .. }
            | TemplatesError::Missing { place, .. }
            | TemplatesError::NoRoute { place, .. }
            | TemplatesError::Key { place, .. }
            | TemplatesError::Pattern { place, .. } => Some(place),
        }
    }
}

/// The reader's words as a person would say them: it speaks of the types that it reads into.
pub(super) fn in_words(message: &str) -> String {
    // The place stands beside the message.
    let message = message.split(" at line ").next().unwrap_or(message);
    if let Some(rest) = message.strip_prefix("duplicate mapping key: ") {
        let key = rest.split(", set DuplicateKeyPolicy").next().unwrap_or(rest);
        return format!("key `{key}` appears twice");
    }
    if let Some(field) = message.strip_prefix("missing field ") {
        return format!("{field} is required");
    }
    if let Some(rest) = message.strip_prefix("cannot deserialize null into ") {
        let is_text = rest.starts_with("string");
        return if is_text { "expected a string, found nothing" } else { "expected a value, found nothing" }.to_owned();
    }
    if message.starts_with("budget breached: ") {
        return "the table is too large, or its aliases expand to too much".to_owned();
    }
    match message {
        "expected mapping start" => "expected a map".to_owned(),
        "expected sequence start" => "expected a list".to_owned(),
        "expected string scalar" => "expected a string".to_owned(),
        "invalid boolean" => "expected true or false".to_owned(),
        "unexpected end of input" => "the file is empty, or ends too early".to_owned(),
        other if other.starts_with("invalid u") || other.starts_with("invalid i") => {
            "expected a whole number, 0 or more".to_owned()
        }
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::templates::{Catalog, File};

    #[test]
    fn a_table_of_another_form_is_refused_in_words() {
        for (text, message) in [
            ("doc:\n", "expected a string, found nothing"),
            ("doc: a\ndoc: b\n", "key `doc` appears twice"),
            ("doc: a\nkeys: x\n", "expected a map"),
            ("doc: a\nobjects: {}\n", "expected a list"),
            ("doc: [a]\n", "expected a string"),
            ("doc: a\napplication_object: maybe\n", "expected true or false"),
            ("doc: a\nroute: {kind: a, resource: b, max_destinations: x}\n", "expected a whole number, 0 or more"),
            ("base: deployment\n", "`doc` is required"),
            ("", "the file is empty, or ends too early"),
        ] {
            let file = File { path: "mine/environment.yaml".into(), text: text.into() };
            let error = Catalog::embedded().with_files(vec![file]).unwrap_err();
            assert_eq!(error.to_string(), message, "{text:?}");
        }
    }
}
