//! The grammar of `--set`, `--set-string`, `--set-file` and `--set-literal` (Helm, `pkg/strvals`).
//!
//! Where Helm silently does nothing (`=1`, `.a=1`, `a[0`, an empty argument) r8 reports a mistake.

use super::error::{SetProblem, ValuesError, ValuesProblem};
use super::yaml::{MAX_DEPTH, Spent, measure};
use super::{Entry, Kind, Map, Node, Origin};

/// The largest list index (`MaxIndex`).
const MAX_INDEX: usize = 65536;
/// The most dots in one path (`MaxNestedNameLevel`).
const MAX_LEVEL: usize = 30;

/// How the text of a value becomes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typing<'a> {
    /// Booleans, `null` and whole numbers are recognised (`--set`).
    Typed,
    /// Always a text (`--set-string`).
    Text,
    /// A path whose content is the value (`--set-file`): path and content.
    Files(&'a [(String, String)]),
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// Applies one argument to the values so far.
pub(super) fn apply(
    root: &mut Node,
    text: &str,
    source: u32,
    typing: Typing<'_>,
    spent: &mut Spent,
) -> Result<(), ValuesError> {
    let mut scanner = Scanner::new(text, source);
    if text.is_empty() {
        return Err(scanner.error(0, SetProblem::Empty));
    }
    while !scanner.at_end() {
        let (path, start) = scanner.path()?;
        let value = scanner.value(typing)?;
        put(root, &path, value, &scanner, start, spent)?;
    }
    Ok(())
}

/// Applies one `--set-literal`: no escapes, one assignment, the rest of the argument is the text.
pub(super) fn apply_literal(root: &mut Node, text: &str, source: u32, spent: &mut Spent) -> Result<(), ValuesError> {
    let scanner = Scanner::new(text, source);
    let Some(equals) = scanner.characters.iter().position(|c| *c == '=') else {
        return Err(scanner.error(0, SetProblem::NoValue(text.to_owned())));
    };
    let mut path = Scanner::new("", source);
    path.characters = scanner.characters.iter().take(equals).copied().chain(['=']).collect();
    path.literal = true;
    let (steps, start) = path.path()?;
    let value: String = scanner.characters.iter().skip(equals + 1).collect();
    let length = value.chars().count();
    let node = Node { kind: Kind::String(value), origin: scanner.origin(equals + 1, length) };
    put(root, &steps, node, &scanner, start, spent)
}

/// Puts a value at the path that `key` names; `offset` is where the key stands in its argument.
pub(super) fn apply_node(
    root: &mut Node,
    key: &str,
    value: Node,
    source: u32,
    offset: usize,
    spent: &mut Spent,
) -> Result<(), ValuesError> {
    let mut scanner = Scanner::new(&format!("{key}="), source);
    let shift = |mut error: ValuesError| {
        error.origin.column += offset as u32;
        error
    };
    let (path, start) = scanner.path().map_err(shift)?;
    put(root, &path, value, &scanner, start, spent).map_err(shift)
}

/// The paths that the values of a `--set-file` argument name.
///
/// # Errors
///
/// The mistake in the argument's grammar, with its offset.
pub fn set_file_paths(argument: &str) -> Result<Vec<String>, ValuesError> {
    let mut scanner = Scanner::new(argument, 0);
    let mut paths = Vec::new();
    while !scanner.at_end() {
        scanner.path()?;
        match scanner.value(Typing::Text)?.kind {
            Kind::String(path) => paths.push(path),
            Kind::List(list) => paths.extend(list.iter().filter_map(|item| item.as_str().map(str::to_owned))),
            _ => {}
        }
    }
    Ok(paths)
}

struct Scanner {
    characters: Vec<char>,
    at: usize,
    source: u32,
    /// Whether `\` is a character like any other.
    literal: bool,
}

impl Scanner {
    fn new(text: &str, source: u32) -> Scanner {
        Scanner { characters: text.chars().collect(), at: 0, source, literal: false }
    }

    fn origin(&self, at: usize, length: usize) -> Origin {
        Origin { source: self.source, line: 1, column: at as u32 + 1, length: length.max(1) as u32, used: None }
    }

    fn error(&self, at: usize, problem: SetProblem) -> ValuesError {
        ValuesError { problem: ValuesProblem::Set(problem), origin: self.origin(at, 1) }
    }

    fn at_end(&self) -> bool {
        self.at >= self.characters.len()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.characters.get(self.at).copied();
        self.at += 1;
        character
    }

    /// Reads until one of `stops`, following escapes; gives the text and the stop.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut text = String::new();
        loop {
            match self.next() {
                None => return (text, None),
                Some('\\') if !self.literal => text.extend(self.next()),
                Some(character) if stops.contains(&character) => return (text, Some(character)),
                Some(character) => text.push(character),
            }
        }
    }

    /// Reads `a.b[0].c=`; gives the steps and where they begin.
    fn path(&mut self) -> Result<(Vec<Step>, usize), ValuesError> {
        let start = self.at;
        let mut steps = Vec::new();
        let mut level = 0;
        let stops: &[char] = if self.literal { &['=', '[', '.'] } else { &['=', '[', '.', ','] };
        loop {
            let at = self.at;
            let (key, stop) = self.until(stops);
            let last = if key.is_empty() { steps.last().map_or(String::new(), name) } else { key.clone() };
            match stop {
                None => return Err(self.error(at, SetProblem::NoValue(last))),
                Some(',') => return Err(self.error(at, SetProblem::Comma(key))),
                Some(character) if key.is_empty() && (character != '[' || steps.is_empty()) => {
                    let problem = if steps.is_empty() { SetProblem::NoFirstKey } else { SetProblem::EmptyKey };
                    return Err(self.error(at, problem));
                }
                _ => {}
            }
            steps.push(Step::Key(key));
            let mut stop = stop;
            while stop == Some('[') {
                stop = self.index(&mut steps)?;
            }
            match stop {
                Some('=') => return Ok((steps, start)),
                Some(_) => {
                    level += 1;
                    if level > MAX_LEVEL {
                        return Err(self.error(at, SetProblem::Depth(MAX_LEVEL)));
                    }
                }
                None => return Err(self.error(at, SetProblem::NoValue(last))),
            }
        }
    }

    /// Reads the rest of `[0]` and what follows it: `=`, `.` or another `[`.
    fn index(&mut self, steps: &mut Vec<Step>) -> Result<Option<char>, ValuesError> {
        let at = self.at;
        let (text, stop) = self.until(&[']']);
        if stop.is_none() {
            return Err(self.error(at, SetProblem::OpenIndex));
        }
        let index: i64 = text.parse().map_err(|_| self.error(at, SetProblem::Index(text)))?;
        if index < 0 {
            return Err(self.error(at, SetProblem::NegativeIndex(index)));
        }
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        if index > MAX_INDEX {
            return Err(self.error(at, SetProblem::LargeIndex { found: index, most: MAX_INDEX }));
        }
        steps.push(Step::Index(index));
        match self.next() {
            stop @ Some('=' | '.' | '[') => Ok(stop),
            None => Err(self.error(at, SetProblem::IndexWithoutValue(index))),
            Some(other) => Err(self.error(self.at - 1, SetProblem::BehindIndex(other))),
        }
    }

    fn value(&mut self, typing: Typing<'_>) -> Result<Node, ValuesError> {
        let start = self.at;
        if self.characters.get(self.at) == Some(&'{') {
            self.at += 1;
            let mut items = Vec::new();
            loop {
                let at = self.at;
                let (text, stop) = self.until(&[',', '}']);
                items.push(self.typed(text, at, typing));
                match stop {
                    Some('}') => break,
                    Some(_) => {}
                    None => return Err(self.error(start, SetProblem::OpenList)),
                }
            }
            if self.characters.get(self.at) == Some(&',') {
                self.at += 1;
            }
            let length = self.at - start;
            return Ok(Node { kind: Kind::List(items), origin: self.origin(start, length) });
        }
        let (text, _) = self.until(&[',']);
        Ok(self.typed(text, start, typing))
    }

    fn typed(&self, text: String, at: usize, typing: Typing<'_>) -> Node {
        let origin = self.origin(at, text.chars().count());
        let kind = match typing {
            Typing::Text => Kind::String(text),
            Typing::Files(files) => {
                let content = files.iter().find(|(path, _)| *path == text).map(|(_, content)| content.clone());
                Kind::String(content.unwrap_or_default())
            }
            Typing::Typed => typed(text),
        };
        Node { kind, origin }
    }
}

fn name(step: &Step) -> String {
    match step {
        Step::Key(key) => key.clone(),
        Step::Index(index) => format!("[{index}]"),
    }
}

/// The typing of `--set`: no floats, no octals, no `yes`.
fn typed(text: String) -> Kind {
    if text.eq_ignore_ascii_case("true") {
        return Kind::Bool(true);
    }
    if text.eq_ignore_ascii_case("false") {
        return Kind::Bool(false);
    }
    if text.eq_ignore_ascii_case("null") {
        return Kind::Null;
    }
    if text == "0" {
        return Kind::Int(0);
    }
    if !text.starts_with('0')
        && let Ok(number) = text.parse()
    {
        return Kind::Int(number);
    }
    Kind::String(text)
}

/// Puts a value at its place; maps and lists on the way are made, a list's missing items are `null`.
fn put(
    root: &mut Node,
    path: &[Step],
    value: Node,
    scanner: &Scanner,
    start: usize,
    spent: &mut Spent,
) -> Result<(), ValuesError> {
    let origin = scanner.origin(start, scanner.at.saturating_sub(start + 1));
    if path.len() + measure(&value).1 > MAX_DEPTH + 1 {
        return Err(ValuesError { problem: ValuesProblem::Depth(MAX_DEPTH), origin });
    }
    let mut place = root;
    for (depth, step) in path.iter().enumerate() {
        let fits = match (step, &place.kind) {
            (Step::Key(_), Kind::Map(_)) | (Step::Index(_), Kind::List(_)) => true,
            // An item of a list is replaced without a word, as in Helm.
            _ => depth > 0 && matches!(path.get(depth - 1), Some(Step::Index(_))) || is_new(place),
        };
        if !fits {
            let found = super::yaml::kind_name(place);
            let problem = match step {
                Step::Key(key) => SetProblem::NoMap { key: key.clone(), found },
                Step::Index(index) => SetProblem::NoList { index: *index, found },
            };
            return Err(scanner.error(start, problem));
        }
        place = match step {
            Step::Key(key) => {
                if place.as_map().is_none() {
                    *place = Node { kind: Kind::Map(Map::new()), origin };
                }
                let Kind::Map(map) = &mut place.kind else { return Ok(()) };
                let entry = map.entry(key.clone()).or_insert_with(|| Entry { key: origin, value: new(origin) });
                &mut entry.value
            }
            Step::Index(index) => {
                if place.as_list().is_none() {
                    *place = Node { kind: Kind::List(Vec::new()), origin };
                }
                let Kind::List(list) = &mut place.kind else { return Ok(()) };
                let filled = (index + 1).saturating_sub(list.len());
                spent.nodes(filled).map_err(|problem| ValuesError { problem, origin })?;
                while list.len() <= *index {
                    list.push(Node { kind: Kind::Null, origin });
                }
                let Some(item) = list.get_mut(*index) else { return Ok(()) };
                item
            }
        };
    }
    *place = value;
    Ok(())
}

/// A place that a path has just made: a map without entries, at no line of its source.
fn new(origin: Origin) -> Node {
    Node { kind: Kind::Null, origin: Origin { line: 0, ..origin } }
}

fn is_new(node: &Node) -> bool {
    node.kind == Kind::Null && node.origin.line == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn set(texts: &[&str]) -> Result<Value, (u32, String)> {
        let origin = Origin { source: 0, line: 1, column: 1, length: 1, used: None };
        let mut root = Node { kind: Kind::Map(Map::new()), origin };
        for text in texts {
            apply(&mut root, text, 0, Typing::Typed, &mut Spent::default())
                .map_err(|error| (error.origin.column, error.to_string()))?;
        }
        Ok(root.to_json())
    }

    #[test]
    fn values_are_typed_as_helm_types_them() {
        for (text, value) in [
            ("a=1", json!({"a": 1})),
            ("a=-1", json!({"a": -1})),
            ("a=+1", json!({"a": 1})),
            ("a=-0", json!({"a": 0})),
            ("a=1.5", json!({"a": "1.5"})),
            ("a=1e3", json!({"a": "1e3"})),
            ("a=01", json!({"a": "01"})),
            ("a=0x10", json!({"a": "0x10"})),
            ("a=9223372036854775808", json!({"a": "9223372036854775808"})),
            ("a=yes", json!({"a": "yes"})),
            ("a=TRUE", json!({"a": true})),
            ("a=", json!({"a": ""})),
            ("a=,b=1", json!({"a": "", "b": 1})),
            ("a=1,", json!({"a": 1})),
            ("a={}", json!({"a": [""]})),
            ("a={ }", json!({"a": [" "]})),
            ("a={,}", json!({"a": ["", ""]})),
            ("a={a,}", json!({"a": ["a", ""]})),
            ("a={1,2}b=3", json!({"a": [1, 2], "b": 3})),
            (r"a={x\,y,z\}w}", json!({"a": ["x,y", "z}w"]})),
            ("a[2]=x", json!({"a": [null, null, "x"]})),
            ("a[0][1]=x", json!({"a": [[null, "x"]]})),
            ("a[0].b=1,a[0].c=2", json!({"a": [{"b": 1, "c": 2}]})),
            (r"a\.b=1", json!({"a.b": 1})),
            (r"a\[0\]=1", json!({"a[0]": 1})),
            (r"a=1\,2", json!({"a": "1,2"})),
            (r"a=x\", json!({"a": "x"})),
            (" a=1", json!({" a": 1})),
            ("a =1", json!({"a ": 1})),
            ("a= 1", json!({"a": " 1"})),
            ("a=b=c", json!({"a": "b=c"})),
            ("a=http://x:80/y?z=1", json!({"a": "http://x:80/y?z=1"})),
        ] {
            assert_eq!(set(&[text]), Ok(value), "{text}");
        }
        assert_eq!(set(&["a[1]=x", "a[1].b=2"]), Ok(json!({"a": [null, {"b": 2}]})));
        assert_eq!(set(&["a.b=1", "a=2"]), Ok(json!({"a": 2})));
    }

    #[test]
    fn mistakes_are_reported_at_their_column() {
        for (text, column, message) in [
            ("", 1, "an empty argument sets nothing"),
            ("=1", 1, "a path must begin with a key"),
            (".a=1", 1, "a path must begin with a key"),
            ("a[0", 3, "`[` is not closed by `]`"),
            ("a[0]", 3, "`[0]` has no value"),
            ("a", 1, "key `a` has no value"),
            ("a.b", 3, "key `b` has no value"),
            ("a..b=1", 3, "a key is empty"),
            ("a.=1", 3, "a key is empty"),
            ("a,b=1", 1, "key `a` has no value (cannot end with `,`)"),
            (",", 1, "key `` has no value (cannot end with `,`)"),
            ("a=b,c", 5, "key `c` has no value"),
            ("a={1,2", 3, "list must terminate with '}'"),
            ("a[-1]=1", 3, "negative -1 index not allowed"),
            ("a[65537]=1", 3, "index of 65537 is greater than maximum supported index of 65536"),
            ("a[x]=1", 3, "a list index must be a whole number, found `x`"),
            ("a[]=1", 3, "a list index must be a whole number, found ``"),
            ("a[0]x=1", 5, "unexpected `x` behind a list index"),
            ("a=[1,2]", 6, "key `2]` has no value"),
        ] {
            assert_eq!(set(&[text]), Err((column, message.to_owned())), "{text}");
        }
        assert!(set(&["a[65536]=1"]).is_ok());
        assert!(set(&[&format!("{}=1", ["a"; 31].join("."))]).is_ok());
        assert!(set(&[&format!("{}=1", ["a"; 32].join("."))]).is_err());
        assert_eq!(set(&[&format!("a{}=1", "[0]".repeat(128))]), Err((1, "nested deeper than 128 levels".into())));
        assert!(set(&[&format!("a{}=1", "[0]".repeat(127))]).is_ok());
        let many = (0..8).map(|key| format!("a{key}[65535]=1")).collect::<Vec<_>>().join(",");
        assert_eq!(set(&[&many]), Err((49, "the values expand to more than 300000 nodes".into())));
        let conflict = set(&["a=1", "a.b=2"]);
        assert_eq!(conflict, Err((1, "expected a map for key `b`, found a number there".into())));
    }

    proptest! {
        #[test]
        fn any_text_is_set_back_through_escapes(key in ".+", text in ".*") {
            let escape = |text: &str| text.chars().flat_map(|c| ['\\', c]).collect::<String>();
            let origin = Origin { source: 0, line: 1, column: 1, length: 1, used: None };
            let mut root = Node { kind: Kind::Map(Map::new()), origin };
            let argument = format!("{}={}", escape(&key), escape(&text));
            apply(&mut root, &argument, 0, Typing::Text, &mut Spent::default()).unwrap();
            prop_assert_eq!(root.to_json(), json!({key: text}));
        }

        #[test]
        fn no_argument_makes_it_panic(text in ".*|[a=\\[\\]{},.0-9\\\\]*") {
            let _ = set(&[&text]);
            let _ = set_file_paths(&text);
        }
    }
}
