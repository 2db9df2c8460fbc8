//! Mistakes in the texts that values are read from.

use thiserror::Error;

use super::{Origin, Values};

/// All mistakes: every key that stands twice, and of each source the first one that stops its reader.
#[derive(Debug, Clone, PartialEq)]
pub struct ValuesErrors {
    /// The mistakes, in the order of the sources.
    pub errors: Vec<ValuesError>,
    /// What was read before and beside them and is probably not meant.
    pub warnings: Vec<ValuesWarning>,
    /// What was read, of a key that stands twice the last; none when a reader was stopped.
    pub values: Option<Box<Values>>,
}

impl std::error::Error for ValuesErrors {}

impl std::fmt::Display for ValuesErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines: Vec<String> = self.errors.iter().map(ValuesError::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// One mistake with its place.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{problem}")]
pub struct ValuesError {
    /// What is wrong.
    pub problem: ValuesProblem,
    /// Where.
    pub origin: Origin,
}

/// What can be wrong in a text of values.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ValuesProblem {
    /// The text is no YAML.
    #[error("not YAML: {0}")]
    Yaml(String),
    /// The root of a document, or of a JSON argument, is no map.
    #[error("the root must be a map, found {0}")]
    Root(&'static str),
    /// A key stands twice in one map.
    #[error("key `{key}` appears twice")]
    Twice {
        /// The key.
        key: String,
        /// Where it stands first.
        first: Origin,
    },
    /// A key that stands twice in one object of a JSON argument.
    #[error("key `{0}` appears twice")]
    TwiceInJson(String),
    /// A key that is no scalar, or null.
    #[error("a key must be a text, found {0}")]
    Key(&'static str),
    /// A merge key whose value is no map.
    #[error("`<<` must be a map or a list of maps, found {0}")]
    Merge(&'static str),
    /// A number that JSON does not have.
    #[error("`{0}` is no number that Kubernetes can store")]
    NotFinite(String),
    /// An alias to a node that is still open.
    #[error("an alias to its own inside")]
    Recursive,
    /// Too deep.
    #[error("nested deeper than {0} levels")]
    Depth(usize),
    /// Too many nodes.
    #[error("the values expand to more than {0} nodes")]
    Nodes(usize),
    /// Aliases that bring in too many nodes.
    #[error("aliases expand to more than {0} nodes")]
    AliasedNodes(usize),
    /// Aliases that bring in too much.
    #[error("aliases expand to more than {0} bytes")]
    Aliased(usize),
    /// Too many bytes.
    #[error("a text of {found} bytes, at most {most} are read")]
    Size {
        /// Its bytes.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// Too many lines.
    #[error("more than {0} lines")]
    Lines(usize),
    /// A line that begins with `---` and is no separator.
    #[error("not a document separator: `{0}`")]
    Separator(String),
    /// Something behind the end of a document.
    #[error("text behind `...`, the end of the document")]
    BehindEnd,
    /// A `--set` argument against the grammar.
    #[error(transparent)]
    Set(SetProblem),
    /// A `!!binary` that is not base64, or not of a text.
    #[error("`!!binary` must be base64 of a UTF-8 text")]
    Binary,
    /// A JSON argument that is no JSON.
    #[error("not JSON: {0}")]
    Json(String),
}

/// What can be wrong in the grammar of `--set` and its kin.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SetProblem {
    /// No text at all.
    #[error("an empty argument sets nothing")]
    Empty,
    /// A path that ends without `=`.
    #[error("key `{0}` has no value")]
    NoValue(String),
    /// A path that ends with a comma.
    #[error("key `{0}` has no value (cannot end with `,`)")]
    Comma(String),
    /// A path that begins with `=`, `.` or `[`.
    #[error("a path must begin with a key")]
    NoFirstKey,
    /// Nothing between two dots.
    #[error("a key is empty")]
    EmptyKey,
    /// Too many dots.
    #[error("the path has more than {} keys, as deep as Helm nests", .0 + 1)]
    Depth(usize),
    /// An index without its end.
    #[error("`[` is not closed by `]`")]
    OpenIndex,
    /// An index that is no number.
    #[error("a list index must be a whole number, found `{0}`")]
    Index(String),
    /// An index below 0.
    #[error("negative {0} index not allowed")]
    NegativeIndex(i64),
    /// An index above Helm's limit.
    #[error("index of {found} is greater than maximum supported index of {most}")]
    LargeIndex {
        /// The index.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// An index at the end of the argument.
    #[error("`[{0}]` has no value")]
    IndexWithoutValue(usize),
    /// Something else than `=`, `.` or `[` behind an index.
    #[error("unexpected `{0}` behind a list index")]
    BehindIndex(char),
    /// A list without its end.
    #[error("list must terminate with '}}'")]
    OpenList,
    /// A key in something that is no map.
    #[error("expected a map for key `{key}`, found {found} there")]
    NoMap {
        /// The key.
        key: String,
        /// What is there.
        found: &'static str,
    },
    /// An index into something that is no list.
    #[error("expected a list for `[{index}]`, found {found} there")]
    NoList {
        /// The index.
        index: usize,
        /// What is there.
        found: &'static str,
    },
}

impl ValuesProblem {
    /// The stable name of the rule that is broken, in kebab-case; [`crate::findings::RULES`] says what each means.
    pub fn rule(&self) -> &'static str {
        match self {
            ValuesProblem::Yaml(_) => "not-yaml",
            ValuesProblem::Root(_) => "root-not-map",
            ValuesProblem::Twice { .. } => "duplicate-key",
            ValuesProblem::TwiceInJson(_) => "duplicate-key-in-json",
            ValuesProblem::Key(_) => "key-not-text",
            ValuesProblem::Merge(_) => "merge-key",
            ValuesProblem::NotFinite(_) => "not-finite",
            ValuesProblem::Recursive => "recursive-alias",
            ValuesProblem::Depth(_) => "too-deep",
            ValuesProblem::Nodes(_) => "too-many-nodes",
            ValuesProblem::AliasedNodes(_) => "too-many-aliased-nodes",
            ValuesProblem::Aliased(_) => "aliases-too-large",
            ValuesProblem::Size { .. } => "too-large",
            ValuesProblem::Lines(_) => "too-many-lines",
            ValuesProblem::Separator(_) => "bad-separator",
            ValuesProblem::BehindEnd => "text-behind-end",
            ValuesProblem::Set(problem) => problem.rule(),
            ValuesProblem::Binary => "not-base64",
            ValuesProblem::Json(_) => "not-json",
        }
    }
}

impl SetProblem {
    /// The stable name of the rule that is broken, in kebab-case; [`crate::findings::RULES`] says what each means.
    pub fn rule(&self) -> &'static str {
        match self {
            SetProblem::Empty => "set-empty",
            SetProblem::NoValue(_) => "set-without-value",
            SetProblem::Comma(_) => "set-trailing-comma",
            SetProblem::NoFirstKey => "set-without-key",
            SetProblem::EmptyKey => "set-empty-key",
            SetProblem::Depth(_) => "set-too-deep",
            SetProblem::OpenIndex => "set-open-index",
            SetProblem::Index(_) => "set-bad-index",
            SetProblem::NegativeIndex(_) => "set-negative-index",
            SetProblem::LargeIndex { .. } => "set-large-index",
            SetProblem::IndexWithoutValue(_) => "set-index-without-value",
            SetProblem::BehindIndex(_) => "set-behind-index",
            SetProblem::OpenList => "set-open-list",
            SetProblem::NoMap { .. } => "set-no-map",
            SetProblem::NoList { .. } => "set-no-list",
        }
    }
}

impl ValuesError {
    /// Where it is.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// A second place that belongs to it, and what is there.
    pub fn secondary(&self) -> Option<(Origin, &'static str)> {
        match &self.problem {
            ValuesProblem::Twice { first, .. } => Some((*first, "first here")),
            _ => None,
        }
    }

    /// Moves it, with its second place, to the source of another index.
    pub fn move_to(&mut self, source: u32) {
        self.origin.source = source;
        if let ValuesProblem::Twice { first, .. } = &mut self.problem {
            first.source = source;
        }
    }

    /// How to repair it.
    pub fn hint(&self) -> Option<String> {
        match &self.problem {
            ValuesProblem::Twice { .. } | ValuesProblem::TwiceInJson(_) => Some("drop one of them".into()),
            ValuesProblem::Yaml(message) if message.contains("tab") => Some("indent with spaces".into()),
            ValuesProblem::Root(_) => Some("write `environment: NAME` and `application:` at the left margin".into()),
            ValuesProblem::Separator(_) => Some("a separator is `---` alone on its line".into()),
            ValuesProblem::BehindEnd => Some("begin the next document with `---`".into()),
            _ => None,
        }
    }
}

/// Something allowed that is probably not meant.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ValuesWarning {
    /// A key that YAML 1.1 takes for a boolean.
    #[error("key `{written}` is the boolean {read} to Helm and kubectl")]
    BooleanKey {
        /// As it was written.
        written: String,
        /// The key that it becomes.
        read: String,
        /// Where.
        origin: Origin,
    },
}

impl ValuesWarning {
    /// The stable name of the rule that is broken, in kebab-case; [`crate::findings::RULES`] says what each means.
    pub fn rule(&self) -> &'static str {
        match self {
            ValuesWarning::BooleanKey { .. } => "boolean-key",
        }
    }

    /// Where it is.
    pub fn origin(&self) -> Origin {
        let ValuesWarning::BooleanKey { origin, .. } = self;
        *origin
    }

    /// Moves it to the source of another index.
    pub fn move_to(&mut self, source: u32) {
        let ValuesWarning::BooleanKey { origin, .. } = self;
        origin.source = source;
    }
}
