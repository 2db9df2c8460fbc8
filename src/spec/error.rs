//! Mistakes in a release, each with the place where it was written.

use thiserror::Error;

use super::kserve::KserveProblem;
use super::matches::MatchProblem;
use crate::values::Origin;

/// All mistakes of one release, and what is probably not meant beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecErrors {
    /// The mistakes, in the order of the files.
    pub errors: Vec<SpecError>,
    /// The warnings, in the same order.
    pub warnings: Vec<SpecWarning>,
}

impl std::error::Error for SpecErrors {}

impl std::fmt::Display for SpecErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines: Vec<String> = self.errors.iter().map(SpecError::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{problem}")]
pub struct SpecError {
    /// What is wrong.
    pub problem: Problem,
    /// Where; none for flags and arguments.
    pub origin: Option<Origin>,
    /// The path of the value, such as `application.versions[1].weight`.
    pub path: Option<String>,
    /// How to repair it.
    pub hint: Option<String>,
}

impl SpecError {
    /// Where it was written; none for flags and arguments.
    pub fn origin(&self) -> Option<Origin> {
        self.origin
    }

    /// The path of the value.
    pub fn path(&self) -> Option<String> {
        self.path.clone()
    }

    /// How to repair it.
    pub fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

/// One thing that is allowed and probably not meant; of the same form as an error.
pub type SpecWarning = SpecError;

/// What can be wrong with, or surprising in, a release.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// A key that must be there is not.
    #[error("`{0}` is required")]
    Missing(String),
    /// A key that must be there unless another is.
    #[error("`{path}` is required when `{unless}` is absent")]
    MissingUnless {
        /// The absent key.
        path: String,
        /// The key that would replace it.
        unless: String,
    },
    /// A value of another type.
    #[error("`{key}` must be {expected}, found {found}")]
    Type {
        /// Last part of the path.
        key: String,
        /// What it must be.
        expected: String,
        /// What it is, with its text where that is short.
        found: String,
    },
    /// A key that the environment does not have.
    #[error("unknown key `{0}`")]
    UnknownKey(String),
    /// A key that only other environments have.
    #[error("`{key}` does not belong to environment `{environment}`")]
    OtherEnvironment {
        /// The path.
        key: String,
        /// The environment in use.
        environment: String,
    },
    /// A key that nothing reads.
    #[error("`{key}` has no effect: {why}")]
    Dead {
        /// The key.
        key: String,
        /// Why.
        why: String,
    },
    /// An environment that does not exist.
    #[error("unknown environment `{0}`")]
    UnknownEnvironment(String),
    /// A strategy that the environment does not have.
    #[error("environment `{environment}` has no strategy `{strategy}`")]
    UnknownStrategy {
        /// The environment.
        environment: String,
        /// The strategy.
        strategy: String,
    },
    /// A strategy that r8 does not know in any environment.
    #[error("no environment has strategy `{0}`")]
    NoStrategy(String),
    /// The release has no name.
    #[error("the release has no name")]
    NoName,
    /// A name against the rules.
    #[error("`{name}` is not a valid {what}: {rule}")]
    Name {
        /// The name.
        name: String,
        /// What it names.
        what: &'static str,
        /// The rule.
        rule: &'static str,
    },
    /// A text that does not match its pattern.
    #[error("`{key}` must match `{pattern}`, found \"{found}\"")]
    Pattern {
        /// Last part of the path.
        key: String,
        /// The regular expression.
        pattern: String,
        /// The text.
        found: String,
    },
    /// A number out of its range.
    #[error("`{key}` must be {expected}, found {found}")]
    Range {
        /// Last part of the path.
        key: String,
        /// The range in words.
        expected: String,
        /// The number.
        found: String,
    },
    /// The weights add up to more than the routing takes.
    #[error("the weights add up to {sum}, the most is {most}")]
    WeightSum {
        /// The sum.
        sum: u64,
        /// The limit.
        most: u64,
    },
    /// A weight with nothing to be weighed against.
    #[error("the only version gets every request, whatever its `weight`")]
    SingleWeight,
    /// No version would receive requests.
    #[error("every weight is 0, so that no version would receive requests")]
    NoWeight,
    /// A mirror that copies no request.
    #[error("the candidate's weight is 0, so that nothing would be mirrored")]
    NothingMirrored,
    /// More versions than the strategy or the route's kind takes.
    #[error("{what} takes at most {most}, found {found}")]
    TooMany {
        /// What takes so many.
        what: String,
        /// The limit in words.
        most: String,
        /// The count.
        found: usize,
    },
    /// Two objects with one key.
    #[error("{object} is written twice: by {first} and by {second}")]
    Twice {
        /// Kind namespace/name.
        object: String,
        /// Who writes it first.
        first: String,
        /// Who writes it again.
        second: String,
    },
    /// Two versions of one name in one namespace.
    #[error("{first} and {second} have the name `{name}`")]
    SameName {
        /// The name.
        name: String,
        /// Path of the first.
        first: String,
        /// Path of the second.
        second: String,
    },
    /// Two ports of one number in one Service.
    #[error("`{first}` and `{second}` are both port {port}")]
    SamePort {
        /// Protocol and number.
        port: String,
        /// Path of the first.
        first: String,
        /// Path of the second.
        second: String,
    },
    /// A match where none is read.
    #[error("`{key}` is only read for candidates; the primary takes every other request")]
    MatchOfPrimary {
        /// `match` or `matches`.
        key: String,
    },
    /// A match against the rules of its kind.
    #[error(transparent)]
    Match(MatchProblem),
    /// A value that the strategy does not read.
    #[error("`{key}` has no effect with strategy `{strategy}`")]
    Ignored {
        /// The key.
        key: String,
        /// The strategy.
        strategy: String,
    },
    /// An annotation whose value is fixed.
    #[error("annotation `{key}` must be `{expected}` in environment `{environment}`, found `{found}`")]
    FixedAnnotation {
        /// The annotation.
        key: String,
        /// Its only value.
        expected: String,
        /// The value found.
        found: String,
        /// The environment.
        environment: String,
    },
    /// The release and its objects live in different namespaces.
    #[error("the release is in namespace `{release}`, its objects in `{objects}`")]
    TwoNamespaces {
        /// Release namespace.
        release: String,
        /// `application.metadata.namespace`.
        objects: String,
    },
    /// A rule of KServe.
    #[error(transparent)]
    Kserve(KserveProblem),
    /// A label whose value is fixed.
    #[error("label `{0}` is always \"true\"")]
    Watched(&'static str),
    /// A weight that r8's own route does not follow.
    #[error("annotation `{0}` overrides `weight` for the Iter8 controller alone")]
    WeightAnnotation(&'static str),
    /// A weight that nothing reads.
    #[error("annotation `{key}` is read from the {kind} alone")]
    WeightUnread {
        /// The annotation.
        key: &'static str,
        /// The kind of a version's first object.
        kind: String,
    },
    /// Two annotations that look like one.
    #[error("annotations `{first}` and `{second}` differ in case alone")]
    SameButCase {
        /// The first, in the order of bytes.
        first: String,
        /// The second.
        second: String,
    },
    /// An object that a routemap of another namespace names.
    #[error(
        "{object} is outside namespace `{namespace}`, where the routemap is: an Iter8 controller that is not cluster-scoped drops it"
    )]
    OtherNamespace {
        /// Kind namespace/name.
        object: String,
        /// The routemap's namespace.
        namespace: String,
    },
}

impl Problem {
    /// The stable name of the rule that is broken, in kebab-case; [`crate::findings::RULES`] says what each means.
    pub fn rule(&self) -> &'static str {
        match self {
            Problem::Missing(_) => "missing-key",
            Problem::MissingUnless { .. } => "missing-alternative",
            Problem::Type { .. } => "wrong-type",
            Problem::UnknownKey(_) => "unknown-key",
            Problem::OtherEnvironment { .. } => "key-of-other-environment",
            Problem::Dead { .. } => "dead-key",
            Problem::UnknownEnvironment(_) => "unknown-environment",
            Problem::UnknownStrategy { .. } => "unknown-strategy",
            Problem::NoStrategy(_) => "strategy-of-no-environment",
            Problem::NoName => "release-without-name",
            Problem::Name { .. } => "bad-name",
            Problem::Pattern { .. } => "pattern-mismatch",
            Problem::Range { .. } => "out-of-range",
            Problem::WeightSum { .. } => "weight-sum",
            Problem::SingleWeight => "weight-of-only-version",
            Problem::NoWeight => "all-weights-zero",
            Problem::NothingMirrored => "nothing-mirrored",
            Problem::TooMany { .. } => "too-many",
            Problem::Twice { .. } => "object-written-twice",
            Problem::SameName { .. } => "same-version-name",
            Problem::SamePort { .. } => "same-port",
            Problem::MatchOfPrimary { .. } => "match-of-primary",
            Problem::Match(problem) => problem.rule(),
            Problem::Ignored { .. } => "ignored-key",
            Problem::FixedAnnotation { .. } => "fixed-annotation",
            Problem::TwoNamespaces { .. } => "two-namespaces",
            Problem::Kserve(problem) => problem.rule(),
            Problem::Watched(_) => "fixed-label",
            Problem::WeightAnnotation(_) => "weight-annotation",
            Problem::WeightUnread { .. } => "weight-annotation-unread",
            Problem::SameButCase { .. } => "annotations-differ-in-case",
            Problem::OtherNamespace { .. } => "object-outside-namespace",
        }
    }
}
