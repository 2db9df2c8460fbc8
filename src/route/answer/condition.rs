//! One condition of a match, and whether a request meets it.

use std::fmt;

use serde_json::Value;

use crate::re2::Expression;

/// How a condition compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The text is the same.
    Exact,
    /// The text begins so.
    Prefix,
    /// The path is the same, or lies below it, by whole elements.
    PathPrefix,
    /// An expression of RE2 matches the whole text.
    Regex,
    /// It is there.
    Present,
    /// It is one of a list.
    OneOf,
    /// Labels, all of which have to be there.
    Labels,
}

impl Comparison {
    /// The word for it in a document, as the routes themselves have it where they have one.
    pub fn as_str(self) -> &'static str {
        match self {
            Comparison::Exact => "exact",
            Comparison::Prefix => "prefix",
            Comparison::PathPrefix => "pathPrefix",
            Comparison::Regex => "regex",
            Comparison::Present => "present",
            Comparison::OneOf => "oneOf",
            Comparison::Labels => "labels",
        }
    }
}

/// Whether a request meets a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// The request does not tell; why.
    Open(&'static str),
}

impl Truth {
    /// The truth of a test that says yes or no.
    pub(super) fn of(yes: bool) -> Truth {
        if yes { Truth::Yes } else { Truth::No }
    }

    fn not(self) -> Truth {
        match self {
            Truth::Yes => Truth::No,
            Truth::No => Truth::Yes,
            open @ Truth::Open(_) => open,
        }
    }
}

/// What a request that is sent by nobody in particular leaves open.
pub(super) const UNSAID: &str = "the request does not say";
/// What stands beyond what r8 evaluates.
const UNREADABLE: &str = "r8 cannot evaluate this expression";

/// One condition of a match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// What is compared, as a route of Istio names it: `uri`, `headers.traffic`, `port`.
    pub field: String,
    /// How it is compared.
    pub comparison: Comparison,
    /// Whether small and capital letters are the same.
    pub any_case: bool,
    /// Whether it must not be so.
    pub negated: bool,
    /// What it is compared with.
    pub value: String,
    /// What the request has; none when it has none.
    pub found: Option<String>,
    /// Whether the request meets it.
    pub truth: Truth,
}

impl Condition {
    /// A condition that the text `found` is compared with; what is absent meets none.
    pub(super) fn new(field: &str, comparison: Comparison, value: &str, found: Option<String>) -> Condition {
        // `*` is no expression: Istio makes "it is there" of it, also for the Gateway API.
        let star = comparison == Comparison::Regex && value == "*" && field != "uri";
        let (comparison, value) = if star { (Comparison::Present, "") } else { (comparison, value) };
        let mut condition = Condition {
            field: field.to_owned(),
            comparison,
            any_case: false,
            negated: false,
            value: value.to_owned(),
            found,
            truth: Truth::No,
        };
        condition.judge();
        condition
    }

    /// A `StringMatch` of Istio; one of no kind asks only that there is something.
    pub(super) fn istio(field: &str, wanted: &Value, found: Option<String>) -> Condition {
        let (comparison, value) = kind(wanted);
        Condition::new(field, comparison, value, found)
    }

    /// The same in any case, which an expression does not heed.
    pub(super) fn in_any_case(mut self) -> Condition {
        self.any_case = self.comparison != Comparison::Regex;
        self.judge();
        self
    }

    /// The opposite. What is absent counts as an empty text, save for the condition that it is there.
    pub(super) fn without(mut self) -> Condition {
        if self.found.is_none() && self.comparison != Comparison::Present {
            self.truth = compare(self.comparison, &self.value, "", self.any_case);
        }
        self.negated = true;
        self.truth = self.truth.not();
        self
    }

    /// What only the one who sends a request knows.
    pub(super) fn open(field: &str, comparison: Comparison, value: String, why: &'static str) -> Condition {
        Condition { truth: Truth::Open(why), ..Condition::new(field, comparison, &value, None) }
    }

    /// Whether the request does not meet it.
    pub fn fails(&self) -> bool {
        self.truth == Truth::No
    }

    /// Whether the request does not tell.
    pub fn is_open(&self) -> bool {
        matches!(self.truth, Truth::Open(_))
    }

    fn judge(&mut self) {
        self.truth = match &self.found {
            None => Truth::No,
            Some(found) => compare(self.comparison, &self.value, found, self.any_case),
        };
    }
}

/// Which kind of `StringMatch` it is.
fn kind(wanted: &Value) -> (Comparison, &str) {
    let kinds = [("exact", Comparison::Exact), ("prefix", Comparison::Prefix), ("regex", Comparison::Regex)];
    let found = kinds.iter().find_map(|(key, comparison)| Some((*comparison, wanted[*key].as_str()?)));
    found.unwrap_or((Comparison::Present, ""))
}

fn compare(comparison: Comparison, value: &str, found: &str, any_case: bool) -> Truth {
    if any_case {
        return compare(comparison, &value.to_ascii_lowercase(), &found.to_ascii_lowercase(), false);
    }
    match comparison {
        Comparison::Exact => Truth::of(found == value),
        Comparison::Prefix => Truth::of(found.starts_with(value)),
        Comparison::PathPrefix => {
            let value = value.strip_suffix('/').unwrap_or(value);
            Truth::of(found.strip_prefix(value).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
        }
        Comparison::Regex => match Expression::whole(value, found) {
            Some(expression) => Truth::of(expression.matches(found)),
            None => Truth::Open(UNREADABLE),
        },
        Comparison::Present => Truth::Yes,
        Comparison::OneOf => Truth::of(value.split(", ").any(|one| one == found)),
        Comparison::Labels => Truth::Open(UNSAID),
    }
}

/// `header `traffic` must be `test`, found `prod``.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.split_once('.') {
            Some(("headers" | "withoutHeaders", name)) => write!(f, "header `{name}`")?,
            Some(("queryParams", name)) => write!(f, "query parameter `{name}`")?,
            _ => f.write_str(match self.field.as_str() {
                "uri" => "path",
                "authority" => "Host",
                "gateways" => "the gateway that it comes through",
                "sourceLabels" => "the pod that sends it",
                "sourceNamespace" => "the namespace that sends it",
                other => other,
            })?,
        }
        let must = if self.negated { "must not" } else { "must" };
        let value = &self.value;
        match self.comparison {
            Comparison::Exact => write!(f, " {must} be `{value}`")?,
            Comparison::Prefix => write!(f, " {must} begin with `{value}`")?,
            Comparison::PathPrefix => write!(f, " {must} be `{value}` or lie below it")?,
            Comparison::Regex => write!(f, " {must} match `{value}`")?,
            Comparison::Present => write!(f, " {must} be there")?,
            Comparison::OneOf => write!(f, " {must} be one of {value}")?,
            Comparison::Labels => write!(f, " {must} have the labels {value}")?,
        }
        if self.any_case {
            f.write_str(" in any case")?;
        }
        match (self.truth, &self.found) {
            (Truth::Open(why), Some(found)) => write!(f, ", found `{found}`: {why}"),
            (Truth::Open(why), None) => write!(f, ": {why}"),
            (_, Some(found)) => write!(f, ", found `{found}`"),
            (_, None) => f.write_str(", found none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(wanted: Value, found: Option<&str>) -> (String, Truth) {
        let condition = Condition::istio("headers.a", &wanted, found.map(str::to_owned));
        (condition.to_string(), condition.truth)
    }

    #[test]
    fn a_condition_says_what_it_wants_and_what_it_found() {
        for (wanted, found, told, truth) in [
            (json!({"exact": "b"}), Some("b"), "header `a` must be `b`, found `b`", Truth::Yes),
            (json!({"exact": "b"}), None, "header `a` must be `b`, found none", Truth::No),
            (json!({"prefix": "b"}), Some("bc"), "header `a` must begin with `b`, found `bc`", Truth::Yes),
            (json!({"regex": "b"}), Some("bc"), "header `a` must match `b`, found `bc`", Truth::No),
            (json!({"regex": "*"}), Some(""), "header `a` must be there, found ``", Truth::Yes),
            (json!({}), None, "header `a` must be there, found none", Truth::No),
        ] {
            assert_eq!(text(wanted, found), (told.to_owned(), truth));
        }
    }

    #[test]
    fn an_expression_that_r8_cannot_evaluate_stays_open() {
        let (told, truth) = text(json!({"regex": r"\pL"}), Some("b"));
        assert_eq!(told, r"header `a` must match `\pL`, found `b`: r8 cannot evaluate this expression");
        assert!(matches!(truth, Truth::Open(_)));
    }

    #[test]
    fn the_absent_header_is_an_empty_text_to_what_must_not_be() {
        let without = |wanted: Value, found: Option<&str>| {
            Condition::istio("withoutHeaders.a", &wanted, found.map(str::to_owned)).without().truth
        };
        assert_eq!(without(json!({"exact": "b"}), None), Truth::Yes);
        assert_eq!(without(json!({"exact": "b"}), Some("b")), Truth::No);
        assert_eq!(without(json!({"regex": ".*"}), None), Truth::No);
        assert_eq!(without(json!({"exact": ""}), None), Truth::No);
        assert_eq!(without(json!({}), None), Truth::Yes);
        assert_eq!(without(json!({}), Some("")), Truth::No);
    }

    #[test]
    fn a_prefix_of_path_elements_ends_at_a_slash() {
        let below = |value: &str, path: &str| {
            Condition::new("uri", Comparison::PathPrefix, value, Some(path.to_owned())).truth == Truth::Yes
        };
        assert!(below("/v1", "/v1") && below("/v1", "/v1/a") && below("/v1/", "/v1") && below("/", "/a"));
        assert!(!below("/v1", "/v10") && !below("/v1/", "/v"));
    }

    #[test]
    fn any_case_is_nothing_to_an_expression() {
        let uri = |wanted: Value| Condition::istio("uri", &wanted, Some("/A".to_owned())).in_any_case().truth;
        assert_eq!(uri(json!({"exact": "/a"})), Truth::Yes);
        assert_eq!(uri(json!({"prefix": "/a"})), Truth::Yes);
        assert_eq!(uri(json!({"regex": "/a"})), Truth::No);
    }
}
