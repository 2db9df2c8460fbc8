//! Values: texts of files and `--set` flags, merged into one tree that knows where each part comes from.

mod binary;
mod error;
mod merge;
mod node;
mod origin;
mod set;
mod set_json;
mod yaml;

pub use error::{SetProblem, ValuesError, ValuesErrors, ValuesProblem, ValuesWarning};
pub use node::{Entry, Kind, Map, Node};
pub use origin::{Origin, Source, SourceName};
pub use set::set_file_paths;
pub use yaml::{MAX_BYTES, MAX_LINES};

/// All values of one release: a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    root: Node,
    warnings: Vec<ValuesWarning>,
}

impl Values {
    /// The root: always a map.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// What was read and is probably not meant.
    pub fn warnings(&self) -> &[ValuesWarning] {
        &self.warnings
    }
}

/// Reads the sources and merges them in their order; the later one wins.
///
/// Maps merge key by key; lists and scalars are replaced whole; `null` is kept as a value (Helm, `MergeMaps`). Every node
/// keeps its own [`Origin`].
///
/// # Errors
///
/// Every key that stands twice, and the first other mistake of every source that has one, with the warnings.
pub fn load(sources: &[Source]) -> Result<Values, ValuesErrors> {
    let origin = Origin { source: 0, line: 0, column: 1, length: 1, used: None };
    let mut root = Node { kind: Kind::Map(Map::new()), origin };
    let (mut errors, mut warnings, mut spent) = (Vec::new(), Vec::new(), yaml::Spent::default());
    let mut stopped = false;
    for (index, source) in sources.iter().enumerate() {
        let number = index as u32;
        let text = source.text.as_str();
        let done = match &source.name {
            SourceName::File(_) | SourceName::Stdin => {
                let text = text.strip_prefix('\u{feff}').unwrap_or(text);
                yaml::read(text, number, &mut spent, &mut yaml::Found { errors: &mut errors, warnings: &mut warnings })
                    .map(|node| {
                        // What is missing from all values is missing from the first file.
                        if root.origin == origin {
                            root.origin = node.origin;
                        }
                        merge::merge(&mut root, node);
                    })
            }
            SourceName::Set(_) => set::apply(&mut root, text, number, set::Typing::Typed, &mut spent),
            SourceName::SetString(_) => set::apply(&mut root, text, number, set::Typing::Text, &mut spent),
            SourceName::SetFile(_, files) => set::apply(&mut root, text, number, set::Typing::Files(files), &mut spent),
            SourceName::SetLiteral(_) => set::apply_literal(&mut root, text, number, &mut spent),
            SourceName::SetJson(_) => set_json::apply(&mut root, text, number, &mut spent),
        };
        stopped |= done.is_err();
        errors.extend(done.err());
    }
    if errors.is_empty() {
        return Ok(Values { root, warnings });
    }
    let values = (!stopped).then(|| Box::new(Values { root, warnings: warnings.clone() }));
    Err(ValuesErrors { errors, warnings, values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn file(text: &str) -> Source {
        Source { name: SourceName::File("v.yaml".into()), text: text.into() }
    }

    fn json_of(texts: &[&str]) -> Value {
        let sources: Vec<Source> = texts.iter().map(|text| file(text)).collect();
        load(&sources).unwrap().root().to_json()
    }

    fn error_of(text: &str) -> (u32, u32, String) {
        let error = load(&[file(text)]).unwrap_err().errors.remove(0);
        (error.origin.line, error.origin.column, error.to_string())
    }

    #[test]
    fn later_file_replaces_lists_whole_and_merges_maps() {
        let merged = json_of(&["a: {b: 1, c: [1, 2]}\nd: 1", "a: {c: [3]}\nd: {e: 2}"]);
        assert_eq!(merged, json!({"a": {"b": 1, "c": [3]}, "d": {"e": 2}}));
    }

    #[test]
    fn null_in_a_later_file_removes_the_key() {
        assert_eq!(json_of(&["a: 1\nb: 2", "a: null"]), json!({"b": 2}));
    }

    #[test]
    fn what_was_given_keeps_its_nulls() {
        let values = load(&[file("a: {b: null, c: [{d: null}]}\ne: 18446744073709551615")]).unwrap();
        assert_eq!(
            values.root().to_json_as_given(),
            json!({"a": {"b": null, "c": [{"d": null}]}, "e": 18_446_744_073_709_551_615_u64})
        );
    }

    #[test]
    fn documents_of_one_file_are_merged() {
        assert_eq!(json_of(&["a: 1\n---\nb: 2\n--- # c\na: 3\n"]), json!({"a": 3, "b": 2}));
    }

    #[test]
    fn nothing_is_an_empty_map() {
        for text in ["", "# no\n", "---\n", "null", "~", "\u{feff}", "...\n"] {
            assert_eq!(json_of(&[text]), json!({}), "{text:?}");
        }
    }

    #[test]
    fn line_ends_and_marks_of_other_systems_are_read() {
        assert_eq!(json_of(&["\u{feff}a: 1\r\nb:\t2\r\n"]), json!({"a": 1, "b": 2}));
    }

    #[test]
    fn merge_keys_and_aliases_are_followed() {
        let text = "x: &x {a: 1, b: 2}\nw: {<<: *x, b: 3}\nz: {<<: [{a: 5}, *x], c: *x}\n";
        let expected =
            json!({"x": {"a": 1, "b": 2}, "w": {"b": 3, "a": 1}, "z": {"c": {"a": 1, "b": 2}, "a": 5, "b": 2}});
        assert_eq!(json_of(&[text]), expected);
    }

    #[test]
    fn a_quoted_merge_key_is_a_key_like_any_other() {
        assert_eq!(json_of(&["a: {\"<<\": 1, \"\\0<<\": 2}"]), json!({"a": {"<<": 1, "\0<<": 2}}));
    }

    #[test]
    fn an_aliased_value_keeps_its_place_and_that_of_the_alias() {
        let values = load(&[file("a: &x 1\nb: *x\n")]).unwrap();
        let origin = values.root().get("b").unwrap().origin;
        assert_eq!((origin.line, origin.column, origin.used), (1, 7, Some((2, 4))));
    }

    #[test]
    fn a_replaced_list_has_the_places_of_the_later_file() {
        let values = load(&[file("a: [1]"), file("\na: [2]")]).unwrap();
        let origin = values.root().get("a").unwrap().as_list().unwrap()[0].origin;
        assert_eq!((origin.source, origin.line, origin.column), (1, 2, 5));
    }

    #[test]
    fn keys_become_texts() {
        let text = "1: a\n0x10: b\non: c\n";
        assert_eq!(json_of(&[text]), json!({"1": "a", "16": "b", "true": "c"}));
        let values = load(&[file(text)]).unwrap();
        assert_eq!(values.warnings()[0].to_string(), "key `on` is the boolean true to Helm and kubectl");
    }

    #[test]
    fn tags_are_heeded() {
        assert_eq!(json_of(&["a: !!str 1\nb: !foo bar\nc: !!int \"3\"\n"]), json!({"a": "1", "b": "bar", "c": 3}));
    }

    #[test]
    fn mistakes_have_their_place() {
        assert_eq!(error_of("a: 1\nb: 2\na: 3\n"), (3, 1, "key `a` appears twice".into()));
        assert_eq!(error_of("- 1\n"), (1, 1, "the root must be a map, found a list".into()));
        assert_eq!(error_of("a: 1\n---foo\n"), (2, 1, "not a document separator: `---foo`".into()));
        assert_eq!(error_of("a: 1\n...\nb: 2\n"), (3, 1, "text behind `...`, the end of the document".into()));
        assert_eq!(error_of("a: .inf\n"), (1, 4, "`.inf` is no number that Kubernetes can store".into()));
        assert_eq!(error_of("? [a]\n: 1\n"), (1, 3, "a key must be a text, found a list".into()));
        assert_eq!(error_of("null: 1\n").2, "a key must be a text, found nothing");
        assert_eq!(error_of("a: {<<: 1}\n").2, "`<<` must be a map or a list of maps, found a number");
        for (text, line, column) in [
            ("a:\n\tb: 1\n", 2, 1),
            ("a:\n  b: 1\n\n  \tc: 2\n", 4, 3),
            ("a:\n  b: |\n\tx\n", 3, 1),
            ("a: [\n\tb]\n", 2, 1),
        ] {
            let found = error_of(text);
            assert_eq!((found.0, found.1), (line, column), "{text:?}: {}", found.2);
        }
        assert_eq!(error_of("a: *b\n").0, 1);
        assert!(load(&[file("%YAML 1.1\n---\na: 1\n")]).is_err());
    }

    #[test]
    fn deep_nesting_bombs_and_huge_texts_are_refused() {
        for text in ["[".repeat(100_000), format!("a: {}", "{a: ".repeat(100_000)), "- ".repeat(100_000)] {
            assert!(load(&[file(&text)]).is_err());
        }
        let mut bomb = String::from("a0: &a0 [x, x]\n");
        for level in 1..30 {
            bomb += &format!("a{level}: &a{level} [*a{0}, *a{0}, *a{0}]\n", level - 1);
        }
        assert_eq!(error_of(&bomb).2, "aliases expand to more than 100000 nodes");
        let anchors: String = (0..100).map(|level| format!("&a{level} [")).collect();
        let nested = format!("a: {anchors}{}{}", "x, ".repeat(10_000), "]".repeat(100));
        assert_eq!(error_of(&nested).2, "the values expand to more than 300000 nodes");
        let half = file(&format!("a: [{}]", "x,".repeat(200_000)));
        let errors = load(&[half.clone(), half]).unwrap_err().errors;
        assert_eq!((errors.len(), errors[0].origin.source), (1, 1));
        assert_eq!(error_of(&"\n".repeat(1_000_001)), (1_000_001, 1, "more than 1000000 lines".into()));
        assert!(error_of(&"a".repeat(17 * 1024 * 1024)).2.starts_with("a text of 17825792 bytes"));
    }

    #[test]
    fn set_json_merges_objects_and_replaces_keys() {
        let source = |text: &str| Source { name: SourceName::SetJson(1), text: text.into() };
        let json = |texts: &[&str]| {
            let sources: Vec<Source> = texts.iter().map(|text| source(text)).collect();
            load(&sources).map(|values| values.root().to_json()).map_err(|error| error.errors[0].origin.column)
        };
        assert_eq!(json(&[r#"{"a":{"x":1}}"#, r#"{"a":{"y":2}}"#]), Ok(json!({"a": {"x": 1, "y": 2}})));
        assert_eq!(json(&[r#"a={"x":1}"#, r#"a={"y":2}"#]), Ok(json!({"a": {"y": 2}})));
        assert_eq!(json(&["a=1 b=2", "c=[]"]), Ok(json!({"a": 1, "b": 2, "c": []})));
        assert_eq!(json(&["a=9007199254740993"]), Ok(json!({"a": 9_007_199_254_740_993_u64})));
        assert_eq!(json(&["a={"]), Err(3));
        assert_eq!(json(&["[1]"]), Err(1));
        assert_eq!(json(&["{\"\u{e9}\u{e9}\u{e9}\": x}"]), Err(9));
        assert_eq!(json(&["{\"a\":\n x}"]), Err(8));
        assert_eq!(json(&["{\"a\": 1} x"]), Err(10));
        assert_eq!(json(&["b=1", "a={\"b\":\n[{\"\u{e9}\\\"\": 1, \"\u{e9}\\\"\" : 2}]}"]), Err(21));
        assert_eq!(json(&["a=1b"]), Err(4));
    }

    #[test]
    fn set_literal_takes_the_rest_as_it_is() {
        let sources = [Source { name: SourceName::SetLiteral(1), text: r"a.b=1,c\=2".into() }];
        assert_eq!(load(&sources).unwrap().root().to_json(), json!({"a": {"b": r"1,c\=2"}}));
    }

    #[test]
    fn set_edits_lists_of_files_in_place() {
        let set = Source { name: SourceName::Set(1), text: "a[0].b=2".into() };
        let values = load(&[file("a: [{b: 1, c: 3}]"), set]).unwrap();
        assert_eq!(values.root().to_json(), json!({"a": [{"b": 2, "c": 3}]}));
    }

    proptest! {
        #[test]
        fn any_text_gives_values_or_a_place(text in ".*|([a-z:{}\\[\\]&*!|>'\"#%@,?\\- \n\t]|- |: )*") {
            if let Err(errors) = load(&[file(&text)]) {
                // A lone carriage return breaks a line too.
                let lines = text.split(['\n', '\r']).count() as u32 + 1;
                prop_assert!(errors.errors[0].origin.line <= lines, "{:?}", errors);
            }
        }
    }
}
