//! The grammar of `--set`, `--set-string`, `--set-file` and `--set-literal` (Helm, `pkg/strvals`).
//!
//! Where Helm silently does nothing (`=1`, `.a=1`, `a[0`, an empty argument) r8 reports a mistake.

mod put;
mod scanner;

use super::error::{SetProblem, ValuesError};
use super::yaml::Spent;
use super::{Kind, Node};
use put::put;
use scanner::Scanner;

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

#[cfg(test)]
mod tests {
    use super::super::{Map, Origin};
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
