//! The route: an object whose weights stay open until they are known.
//!
//! The open text is the Go template that a routemap holds for the Iter8 controller. Only three actions occur in it
//! (`spec/chart.md` of the Iter8 chart names them): a gate `{{- if gt (index .Weights K) 0 }}`, of one or, joined by `or`,
//! of several tests; its `{{- end }}`; and the weight `{{ index .Weights K }}`.

mod answer;
mod live;
mod open;
mod problems;
mod request;
mod shares;
mod words;

use serde_json::Value;
use thiserror::Error;

pub use answer::{
    Action, Addressed, Answer, Changes, Comparison, Condition, Copied, End, Outcome, Target, Tried, Truth, Verdict,
    answer, default_host,
};
pub use live::{Destination, destinations, in_force, is_split, ports, without};
pub use problems::problems;
pub use request::{HttpRequest, RequestError};
pub use shares::{Share, shares};
pub use words::{Rule, others, rules};

use crate::manifest::{Manifest, ManifestError, ObjectKey, ReadError, Role, read_documents};
use open::{Part, parse};

/// Why a text is no route.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RouteError {
    /// An action that r8 does not know.
    #[error("unknown action `{action}`")]
    Action {
        /// Line of the open text, from 1.
        line: usize,
        /// What stands between the braces.
        action: String,
    },
    /// A gate without its end, an end without a gate, or gates nested deeper than 100 levels.
    #[error("a gate and its end do not fit together")]
    Unbalanced {
        /// Line of the open text, from 1.
        line: usize,
    },
    /// A weight of a version that does not exist.
    #[error("there is no version {index}, the versions are 0 to {last}")]
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

impl RouteError {
    /// The line of the open text, from 1; none where the mistake is in no line.
    pub fn line(&self) -> Option<usize> {
        match self {
            RouteError::Action { line, .. } | RouteError::Unbalanced { line } | RouteError::Index { line, .. } => {
                Some(*line)
            }
            RouteError::Yaml(error) => Some(error.line),
            RouteError::Object(_) | RouteError::Count(_) | RouteError::Routemap(_) => None,
        }
    }
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
        let mut documents = read_documents(&self.text_at(weights))
            .map_err(|error| ReadError { line: self.open_line(weights, error.line), ..error })?;
        let count = documents.len();
        let (Some(mut object), None) = (documents.pop(), documents.pop()) else {
            return Err(RouteError::Count(count));
        };
        without_lone_weights(&mut object);
        Ok(Manifest::from_object(object, &self.template, Role::Route)?)
    }

    /// The open text with these weights in force, as the Iter8 controller evaluates it.
    pub fn text_at(&self, weights: &[u32]) -> String {
        let mut text = String::with_capacity(self.open.len());
        self.evaluate(weights, |part, _| text.push_str(part));
        text
    }

    /// The line of the open text that a line of [`Route::text_at`] comes from.
    fn open_line(&self, weights: &[u32], line: usize) -> usize {
        let (mut now, mut open) = (1, 1);
        self.evaluate(weights, |part, begin| {
            if now <= line
                && let Some(begin) = begin
            {
                let ends = part.matches('\n').count();
                open = begin + ends.min(line - now);
                now += ends;
            }
        });
        open
    }

    /// Gives the texts of the parts in their order, those of the open text with the line in which they begin there.
    fn evaluate(&self, weights: &[u32], mut give: impl FnMut(&str, Option<usize>)) {
        let nothing = weights.iter().all(|weight| *weight == 0);
        let weight = |index: usize| match weights.get(index) {
            Some(_) if nothing => u32::from(index == 0),
            Some(weight) => *weight,
            None => 0,
        };
        let mut next = 0;
        while let Some(part) = self.parts.get(next) {
            next += 1;
            match part {
                Part::Text(literal, line) => give(literal, Some(*line)),
                Part::Weight(index) => give(&weight(*index).to_string(), None),
                Part::Gate(tests, end) if tests.iter().all(|index| weight(*index) == 0) => next = *end,
                Part::Gate(..) => {}
            }
        }
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

    /// Path of its template below `templates/`; empty where it was read from a routemap.
    pub fn template(&self) -> &str {
        &self.template
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
    fn a_text_that_is_no_yaml_is_reported_at_its_line_of_the_open_text() {
        let body = "a: 1\n{{- if gt (index .Weights 1) 0 }}\nb: 1\n{{- end }}\nc: {{ index .Weights 0 }}\nd: [\n";
        let error = Route::new(format!("{HEAD}{body}e: 1\n"), vec![1, 1], "t").unwrap_err();
        let broken = Route::new(format!("{HEAD}{}e: ]\n", body.replace('[', "1")), vec![1, 1], "t").unwrap_err();
        assert_eq!((error.line(), broken.line()), (Some(9), Some(10)), "{error} {broken}");
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
            assert_eq!(error.line(), Some(line), "{body}: {error}");
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
