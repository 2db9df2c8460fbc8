//! The route: an object whose weights stay open until they are known.
//!
//! The open text is the Go template that a routemap holds for the Iter8 controller. Only three actions occur in it
//! (`spec/chart.md` of the Iter8 chart names them): a gate `{{- if gt (index .Weights K) 0 }}`, of one or, joined by `or`,
//! of several tests; its `{{- end }}`; and the weight `{{ index .Weights K }}`.

mod live;
mod shares;

use serde_json::Value;
use thiserror::Error;

pub use live::{Destination, destinations, in_force, is_split, without};
pub use shares::{Share, shares};

use crate::manifest::{Manifest, ManifestError, ObjectKey, ReadError, Role, read_documents};

/// The deepest nesting of gates.
const MAX_GATES: usize = 100;

/// Why a text is no route.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RouteError {
    /// An action that r8 does not know.
    #[error("line {line}: unknown action `{action}`")]
    Action {
        /// Line of the open text, from 1.
        line: usize,
        /// What stands between the braces.
        action: String,
    },
    /// A gate without its end, an end without a gate, or gates nested deeper than 100 levels.
    #[error("line {line}: a gate and its end do not fit together")]
    Unbalanced {
        /// Line of the open text, from 1.
        line: usize,
    },
    /// A weight of a version that does not exist.
    #[error("line {line}: there is no version {index}, the versions are 0 to {last}")]
    Index {
        /// Line of the open text, from 1.
        line: usize,
        /// The index.
        index: usize,
        /// The last version's index.
        last: usize,
    },
    /// The text with its weights is no YAML.
    #[error("not YAML: {0}")]
    Yaml(#[from] ReadError),
    /// The text with its weights is not one object.
    #[error("{0}")]
    Object(#[from] ManifestError),
    /// The text holds another number of objects than one.
    #[error("a route is one object, found {0}")]
    Count(usize),
    /// A routemap without the fields that the Iter8 controller reads.
    #[error("not a routemap: {0}")]
    Routemap(&'static str),
}

/// A route with open weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    open: String,
    parts: Vec<Part>,
    wanted: Vec<u32>,
    key: ObjectKey,
    template: String,
    /// The weights in force when every version is ready, and the route with them: the one that is asked for most.
    settled: Option<Box<(Vec<u32>, Manifest)>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Weight(usize),
    /// Goes on at the part after the end unless one of the versions has a weight above 0.
    Gate(Vec<usize>, usize),
}

impl Route {
    /// Takes an open text and the wanted weights, one per version.
    ///
    /// # Errors
    ///
    /// Every variant of [`RouteError`] but [`RouteError::Routemap`]; the text must be one object with all versions ready and with the primary alone.
    pub fn new(open: String, wanted: Vec<u32>, template: &str) -> Result<Route, RouteError> {
        let parts = parse(&open, wanted.len())?;
        let key =
            ObjectKey { group: String::new(), kind: String::new(), namespace: String::new(), name: String::new() };
        let mut route = Route { open, parts, wanted, key, template: template.to_owned(), settled: None };
        route.at(&route.in_force(|index| index == 0))?;
        let weights = route.in_force(|_| true);
        let manifest = route.at(&weights)?;
        route.key = manifest.key.clone();
        route.settled = Some(Box::new((weights, manifest)));
        Ok(route)
    }

    /// Reads the route of a routemap's `data.strSpec`, r8's or the chart's; none when it routes nothing.
    ///
    /// A version without a weight counts 1, as in the controller.
    ///
    /// # Errors
    ///
    /// As [`Route::new`], and [`RouteError::Routemap`].
    pub fn parse(str_spec: &str) -> Result<Option<Route>, RouteError> {
        let documents = read_documents(str_spec)?;
        let spec = documents.first().ok_or(RouteError::Routemap("it is empty"))?;
        let versions = spec["versions"].as_array().ok_or(RouteError::Routemap("`versions` is no list"))?;
        let weight = |version: &Value| match &version["weight"] {
            Value::Null => Some(1),
            weight => weight.as_u64().and_then(|weight| u32::try_from(weight).ok()),
        };
        let wanted: Option<Vec<u32>> = versions.iter().map(weight).collect();
        let wanted = wanted.ok_or(RouteError::Routemap("a weight is no whole number"))?;
        let Some(templates) = spec["routingTemplates"].as_object().filter(|map| !map.is_empty()) else {
            return Ok(None);
        };
        let mut values = templates.values();
        let (Some(template), None) = (values.next(), values.next()) else {
            return Err(RouteError::Routemap("it has several routing templates"));
        };
        let text = template["template"].as_str().ok_or(RouteError::Routemap("`template` is no text"))?;
        Route::new(text.to_owned(), wanted, "").map(Some)
    }

    /// The route with these weights in force, one per version; when all are 0 the primary has all.
    ///
    /// An only destination has no weight. The open text gives one to a candidate that is alone: to gate it there by all
    /// other versions would take a text that grows with the square of their number, and the weight means nothing.
    ///
    /// # Errors
    ///
    /// [`RouteError::Yaml`], [`RouteError::Object`] and [`RouteError::Count`].
    pub fn at(&self, weights: &[u32]) -> Result<Manifest, RouteError> {
        if let Some(settled) = self.settled.as_deref().filter(|settled| settled.0 == weights) {
            return Ok(settled.1.clone());
        }
        let mut documents = read_documents(&self.text_at(weights))?;
        let count = documents.len();
        let (Some(mut object), None) = (documents.pop(), documents.pop()) else {
            return Err(RouteError::Count(count));
        };
        without_lone_weights(&mut object);
        Ok(Manifest::from_object(object, &self.template, Role::Route)?)
    }

    /// The open text with these weights in force, as the Iter8 controller evaluates it.
    pub fn text_at(&self, weights: &[u32]) -> String {
        let nothing = weights.iter().all(|weight| *weight == 0);
        let weight = |index: usize| match weights.get(index) {
            Some(_) if nothing => u32::from(index == 0),
            Some(weight) => *weight,
            None => 0,
        };
        let mut text = String::with_capacity(self.open.len());
        let mut next = 0;
        while let Some(part) = self.parts.get(next) {
            next += 1;
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Weight(index) => text.push_str(&weight(*index).to_string()),
                Part::Gate(tests, end) if tests.iter().all(|index| weight(*index) == 0) => next = *end,
                Part::Gate(..) => {}
            }
        }
        text
    }

    /// The weights in force when only the versions that `ready` names are ready: others have 0; none left gives the
    /// primary 1, as in the Iter8 controller.
    pub fn in_force(&self, ready: impl Fn(usize) -> bool) -> Vec<u32> {
        let weigh = |(index, weight): (usize, &u32)| if ready(index) { *weight } else { 0 };
        let mut weights: Vec<u32> = self.wanted.iter().enumerate().map(weigh).collect();
        if weights.iter().all(|weight| *weight == 0)
            && let Some(primary) = weights.first_mut()
        {
            *primary = 1;
        }
        weights
    }

    /// The Go template.
    pub fn open(&self) -> &str {
        &self.open
    }

    /// The weight that each version has when it is ready.
    pub fn wanted(&self) -> &[u32] {
        &self.wanted
    }

    /// Group, kind, namespace and name of the object.
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }
}

/// Takes the weight of every destination that is the only one of its rule.
fn without_lone_weights(route: &mut Value) {
    for (rules, destinations) in [("http", "route"), ("rules", "backendRefs")] {
        let rules = route.pointer_mut(&format!("/spec/{rules}")).and_then(Value::as_array_mut);
        for rule in rules.into_iter().flatten() {
            if let Some([Value::Object(only)]) =
                rule.get_mut(destinations).and_then(Value::as_array_mut).map(Vec::as_mut_slice)
            {
                only.shift_remove("weight");
            }
        }
    }
}

/// Splits the open text into literal texts and actions, with Go's trimming of blanks beside `{{-` and `-}}`.
fn parse(open: &str, versions: usize) -> Result<Vec<Part>, RouteError> {
    let (mut parts, mut gates): (Vec<Part>, Vec<(usize, usize)>) = (Vec::new(), Vec::new());
    let (mut rest, mut line, mut trim) = (open, 1, false);
    while let Some(start) = rest.find("{{") {
        let (literal, from) = rest.split_at(start);
        line += literal.matches('\n').count();
        let Some(length) = from.find("}}") else {
            return Err(RouteError::Action { line, action: from.chars().take(60).collect() });
        };
        let (action, after) = from.split_at(length + 2);
        let inner = action.trim_start_matches("{{").trim_end_matches("}}");
        let before = inner.starts_with("- ");
        let behind = inner.ends_with(" -");
        let words =
            inner.trim_start_matches("- ").trim_end_matches(" -").split_whitespace().collect::<Vec<_>>().join(" ");
        let literal = if trim { literal.trim_start() } else { literal };
        parts.push(Part::Text(if before { literal.trim_end() } else { literal }.to_owned()));
        let Some(found) = Action::parse(&words) else {
            return Err(RouteError::Action { line, action: words });
        };
        let known = |index: usize| -> Result<usize, RouteError> {
            if index >= versions {
                return Err(RouteError::Index { line, index, last: versions.saturating_sub(1) });
            }
            Ok(index)
        };
        match found {
            Action::Weight(index) => parts.push(Part::Weight(known(index)?)),
            Action::End => {
                let (gate, _) = gates.pop().ok_or(RouteError::Unbalanced { line })?;
                let end = parts.len();
                if let Some(Part::Gate(_, target)) = parts.get_mut(gate) {
                    *target = end;
                }
            }
            Action::If(tests) => {
                if gates.len() >= MAX_GATES {
                    return Err(RouteError::Unbalanced { line });
                }
                let tests = tests.into_iter().map(known).collect::<Result<_, _>>()?;
                gates.push((parts.len(), line));
                parts.push(Part::Gate(tests, usize::MAX));
            }
        }
        line += action.matches('\n').count();
        trim = behind;
        rest = after;
    }
    parts.push(Part::Text(if trim { rest.trim_start() } else { rest }.to_owned()));
    match gates.last() {
        Some((_, line)) => Err(RouteError::Unbalanced { line: *line }),
        None => Ok(parts),
    }
}

/// What stands between `{{` and `}}`.
enum Action {
    Weight(usize),
    If(Vec<usize>),
    End,
}

impl Action {
    /// Reads one of the three actions; its words are joined by single blanks.
    fn parse(words: &str) -> Option<Action> {
        if words == "end" {
            return Some(Action::End);
        }
        if let Some(index) = words.strip_prefix("index .Weights ") {
            return number(index).map(Action::Weight);
        }
        let tests = words.strip_prefix("if ")?;
        let tests = match tests.strip_prefix("or ") {
            Some(many) => many.strip_prefix('(')?.strip_suffix(')')?.split(") (").collect(),
            None => vec![tests],
        };
        let index = |test: &str| number(test.strip_prefix("gt (index .Weights ")?.strip_suffix(") 0")?);
        tests.into_iter().map(index).collect::<Option<_>>().map(Action::If)
    }
}

/// An index of at most nine digits.
fn number(text: &str) -> Option<usize> {
    let digits = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "apiVersion: v1\nkind: VirtualService\nmetadata: {name: a, namespace: b}\n";

    fn text(body: &str, weights: &[u32]) -> String {
        let route = Route::new(format!("{HEAD}{body}"), vec![1; weights.len()], "t").unwrap();
        route.text_at(weights).strip_prefix(HEAD).unwrap_or_default().to_owned()
    }

    #[test]
    fn a_gate_opens_when_one_of_its_versions_has_a_weight() {
        let body = "a: 1\n{{- if or (gt (index .Weights 1) 0) (gt (index .Weights 2) 0) }}\nw: {{ index .Weights 0 }}\n{{- end }}\n";
        assert_eq!(text(body, &[5, 0, 7]), "a: 1\nw: 5\n");
        assert_eq!(text(body, &[5, 0, 0]), "a: 1\n");
    }

    #[test]
    fn gates_nest() {
        let body = "a: 1\n{{- if gt (index .Weights 0) 0 }}\nb: 1\n{{- if gt (index .Weights 1) 0 }}\nc: 1\n{{- end }}\nd: 1\n{{- end }}\n";
        assert_eq!(text(body, &[1, 1]), "a: 1\nb: 1\nc: 1\nd: 1\n");
        assert_eq!(text(body, &[1, 0]), "a: 1\nb: 1\nd: 1\n");
        assert_eq!(text(body, &[0, 1]), "a: 1\n");
    }

    #[test]
    fn blanks_are_trimmed_as_go_trims_them() {
        assert_eq!(text("a: x\n\n  {{- index .Weights 0 -}}  \n1\n", &[7]), "a: x71\n");
        assert_eq!(text("a: {{index .Weights 0}} \n", &[7]), "a: 7 \n");
    }

    #[test]
    fn all_weights_0_mean_the_primary() {
        assert_eq!(text("a: {{ index .Weights 0 }}{{ index .Weights 1 }}\n", &[0, 0]), "a: 10\n");
    }

    #[test]
    fn an_only_destination_has_no_weight() {
        for (rules, destinations) in [("http", "route"), ("rules", "backendRefs")] {
            let body = format!(
                "spec:\n  {rules}:\n  - {destinations}:\n    - {{weight: {{{{ index .Weights 0 }}}}, name: a}}\n\
                 {{{{- if gt (index .Weights 1) 0 }}}}\n    - {{weight: {{{{ index .Weights 1 }}}}, name: b}}\n{{{{- end }}}}\n"
            );
            let route = Route::new(format!("{HEAD}{body}"), vec![1, 1], "t").unwrap();
            let destinations =
                |weights: &[u32]| route.at(weights).unwrap().object["spec"][rules][0][destinations].clone();
            assert_eq!(destinations(&[5, 0]), serde_json::json!([{"name": "a"}]));
            assert_eq!(
                destinations(&[5, 6]),
                serde_json::json!([{"weight": 5, "name": "a"}, {"weight": 6, "name": "b"}])
            );
        }
    }

    #[test]
    fn only_the_three_actions_of_a_routemap_are_read() {
        let known = [
            "end",
            "index .Weights 7",
            "if gt (index .Weights 0) 0",
            "if or (gt (index .Weights 0) 0) (gt (index .Weights 1) 0)",
        ];
        for words in known {
            assert!(Action::parse(words).is_some(), "{words}");
        }
        for words in [
            "else",
            "if",
            "if true",
            "if (index .Weights 0) 0",
            "if or",
            "if or gt (index .Weights 0) 0",
            "if or ()",
            "if gt (index .Weights 0) 1",
            "if gt (index .Weights -1) 0",
            "index .Weights",
            "index .Weights 1234567890",
            "index .Weights +1",
            "if or (gt (index .Weights 0) 0) (index .Weights 1) 0)",
            "if gt (index .Weights 0) 0) (gt (index .Weights 1) 0",
        ] {
            assert!(Action::parse(words).is_none(), "{words}");
        }
    }

    #[test]
    fn unknown_actions_are_refused_at_their_line() {
        for (body, line) in [
            ("a: {{ .Name }}\n", 4),
            ("a: 1\n{{- if true }}\n{{- end }}\n", 5),
            ("a: 1\n{{- end }}\n", 5),
            ("a: 1\n{{- if gt (index .Weights 0) 0 }}\n", 5),
            ("a: {{ index .Weights 1 }}\n", 4),
            ("a: {{", 4),
        ] {
            let error = Route::new(format!("{HEAD}{body}"), vec![1], "t").unwrap_err();
            assert!(error.to_string().starts_with(&format!("line {line}: ")), "{body}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*|(\\{\\{|\\}\\}|-| |end|if|gt|index|\\.Weights|[0-9]|\\(|\\)|\n)*") {
            let _ = Route::new(text.clone(), vec![1, 2], "t");
            let _ = Route::parse(&text);
        }
    }
}
