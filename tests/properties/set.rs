//! Arguments of `--set`: written from a tree and read again, and which of them wins.

use proptest::prelude::*;
use r8::values::{Source, SourceName, load};
use serde_json::{Map, Value, json};

use super::merge::trees;
use super::parts::{self, Part};

/// Puts `\` before every character that would end a key or a text.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| ",.[]={}\\".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

/// Trees that arguments can write: no empty map, no empty list, no `null`; leaves as the given kind of flag makes them.
fn written(leaf: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    let tree = leaf.prop_recursive(4, 24, 4, |inner| {
        let map = prop::collection::btree_map("[a-c,.\\[\\]={}\\\\ \u{e9}]{1,4}", inner.clone(), 1..4);
        prop_oneof![
            prop::collection::vec(inner, 1..3).prop_map(Value::from),
            map.prop_map(|map| map.into_iter().collect::<Map<_, _>>().into()),
        ]
    });
    prop::collection::btree_map("[a-c]{1,2}", tree, 1..4).prop_map(|map| map.into_iter().collect::<Map<_, _>>().into())
}

/// The assignments that make a tree, one for each leaf.
fn assignments(path: &str, tree: &Value, found: &mut Vec<String>) {
    match tree {
        Value::Object(map) => {
            for (key, value) in map {
                let dot = if path.is_empty() { "" } else { "." };
                assignments(&format!("{path}{dot}{}", escaped(key)), value, found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                assignments(&format!("{path}[{index}]"), item, found);
            }
        }
        Value::String(text) => found.push(format!("{path}={}", escaped(text))),
        scalar => found.push(format!("{path}={scalar}")),
    }
}

fn loaded(name: fn(usize) -> SourceName, arguments: &[String]) -> Value {
    let source = |(index, text): (usize, &String)| Source { name: name(index + 1), text: text.clone() };
    let sources: Vec<Source> = arguments.iter().enumerate().map(source).collect();
    load(&sources).unwrap_or_else(|errors| panic!("{errors}\n{arguments:#?}")).root().to_json()
}

fn scalars() -> BoxedStrategy<Value> {
    prop_oneof![any::<bool>().prop_map(Value::from), any::<i64>().prop_map(Value::from)].boxed()
}

fn strings() -> BoxedStrategy<Value> {
    prop_oneof![any::<String>(), "(true|null|0|1|,|\\.|=|\\{|\\}|\\[|\\]|\\\\| )*"].prop_map(Value::from).boxed()
}

/// Without the `null` entries of maps, which count as absent.
fn without_nulls(tree: &Value) -> Value {
    match tree {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        scalar => scalar.clone(),
    }
}

proptest! {
    #[test]
    fn booleans_and_numbers_are_set_as_they_were_written(tree in written(scalars())) {
        let mut arguments = Vec::new();
        assignments("", &tree, &mut arguments);
        prop_assert_eq!(&loaded(SourceName::Set, &arguments), &tree);
        // One argument may hold many assignments.
        prop_assert_eq!(&loaded(SourceName::Set, &[arguments.join(",")]), &tree);
    }

    #[test]
    fn texts_are_set_as_they_were_written(tree in written(strings())) {
        let mut arguments = Vec::new();
        assignments("", &tree, &mut arguments);
        prop_assert_eq!(&loaded(SourceName::SetString, &arguments), &tree);
        prop_assert_eq!(&loaded(SourceName::SetString, &[arguments.join(",")]), &tree);
    }

    #[test]
    fn a_list_in_braces_is_that_list(items in prop::collection::vec(strings(), 1..5), after in any::<i64>()) {
        let list: Vec<String> = items.iter().filter_map(Value::as_str).map(escaped).collect();
        let argument = format!("a.b={{{}}},c={after}", list.join(","));
        prop_assert_eq!(loaded(SourceName::SetString, &[argument]), json!({"a": {"b": items}, "c": after.to_string()}));
    }

    #[test]
    fn json_is_set_as_it_was_written(tree in trees()) {
        let expected = without_nulls(&json!({"a": {"b": [null, tree]}}));
        prop_assert_eq!(&loaded(SourceName::SetJson, &[format!("a.b[1]={tree}")]), &expected);
        prop_assert_eq!(&loaded(SourceName::SetJson, &[format!("{{\"a\":{{\"b\":[null,{tree}]}}}}")]), &expected);
    }

    #[test]
    fn a_literal_is_taken_to_the_last_character(key in "[a-z,{}\\\\ ]{1,5}", text in any::<String>()) {
        let argument = format!("a.{key}[0]={text}");
        prop_assert_eq!(loaded(SourceName::SetLiteral, &[argument]), json!({"a": {key: [text]}}));
    }

    #[test]
    fn the_later_of_two_arguments_wins(first in trees(), second in trees()) {
        let arguments = [format!("a={first}"), format!("a={second}")];
        prop_assert_eq!(loaded(SourceName::SetJson, &arguments), without_nulls(&json!({"a": second})));
    }

    #[test]
    fn an_argument_leaves_what_it_does_not_name(index in 0_usize..3, value in any::<i64>()) {
        let file = Source { name: SourceName::Stdin, text: "a: [{b: u}, {b: v}, {b: w}]\nc: {d: 1}\n".into() };
        let set = Source { name: SourceName::Set(1), text: format!("a[{index}].e={value},c.f={value}") };
        let mut expected = json!({"a": [{"b": "u"}, {"b": "v"}, {"b": "w"}], "c": {"d": 1, "f": value}});
        expected["a"][index]["e"] = value.into();
        prop_assert_eq!(load(&[file, set]).unwrap().root().to_json(), expected);
    }
}

/// The flags that set values, in the order in which Helm applies them, whatever the order on the command line.
const FLAGS: [&str; 6] = ["--values", "--set-json", "--set", "--set-string", "--set-file", "--set-literal"];

/// Runs `r8 render` with flags that each give `application.versions[0].metadata.annotations.a` the text of their place; gives
/// the text that the version's objects have.
fn winner(folder: &std::path::Path, flags: &[usize]) -> String {
    let base = folder.join("base.yaml");
    std::fs::write(&base, "environment: deployment\napplication: {versions: [{image: i}]}\n").unwrap();
    let mut arguments: Vec<String> =
        ["r8", "render", "app", "-n", "default", "-o", "json", "-f"].map(str::to_owned).into();
    arguments.push(base.display().to_string());
    for (place, flag) in flags.iter().enumerate() {
        let text = format!("at {place}");
        let file = folder.join(place.to_string());
        let key = "application.versions[0].metadata.annotations.a";
        let argument = match FLAGS[*flag] {
            "--values" => {
                let values =
                    json!({"application": {"versions": [{"image": "i", "metadata": {"annotations": {"a": text}}}]}});
                std::fs::write(&file, values.to_string()).unwrap();
                file.display().to_string()
            }
            "--set-json" => format!("{key}={}", json!(text)),
            "--set-file" => {
                std::fs::write(&file, &text).unwrap();
                format!("{key}={}", file.display())
            }
            _ => format!("{key}={text}"),
        };
        arguments.extend([FLAGS[*flag].to_owned(), argument]);
    }
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let arguments = arguments.into_iter().map(Into::into);
    let code = r8::cli::run(
        arguments,
        &mut std::io::empty(),
        &mut stdout,
        &mut stderr,
        &|_| None,
        r8::cli::Terminals::default(),
    );
    assert_eq!(code, 0, "{}", String::from_utf8_lossy(&stderr));
    let list: Value = serde_json::from_slice(&stdout).unwrap();
    list["items"][0]["metadata"]["annotations"]["a"].as_str().unwrap().to_owned()
}

/// Helm's answer to the same flags.
fn winner_of_helm(part: &mut Part, flags: &[usize]) -> String {
    let mut question = json!({"op": "values", "files": [], "setJson": [], "set": [], "setString": [], "setFile": [], "setLiteral": []});
    for (place, flag) in flags.iter().enumerate() {
        let text = format!("at {place}");
        let (list, argument) = match FLAGS[*flag] {
            "--values" => ("files", json!(json!({"a": {"b": text}}).to_string())),
            "--set-json" => ("setJson", json!(format!("a.b={}", json!(text)))),
            "--set" => ("set", json!(format!("a.b={text}"))),
            "--set-string" => ("setString", json!(format!("a.b={text}"))),
            "--set-file" => ("setFile", json!(["a.b", text])),
            _ => ("setLiteral", json!(format!("a.b={text}"))),
        };
        question[list].as_array_mut().unwrap().push(argument);
    }
    part.ask(&question).unwrap()["values"]["a"]["b"].as_str().unwrap().to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_last_flag_of_the_last_kind_wins(flags in prop::collection::vec(0..FLAGS.len(), 1..7)) {
        let folder = tempfile::tempdir().unwrap();
        let kind = *flags.iter().max().unwrap();
        let place = flags.iter().rposition(|flag| *flag == kind).unwrap();
        prop_assert_eq!(winner(folder.path(), &flags), format!("at {place}"));
    }
}

#[test]
fn the_same_flag_wins_in_helm() {
    if !parts::wanted() {
        return;
    }
    let mut part = Part::start("helm");
    let folder = tempfile::tempdir().unwrap();
    for first in 0..FLAGS.len() {
        for second in 0..FLAGS.len() {
            let flags = [first, second, first];
            assert_eq!(winner(folder.path(), &flags), winner_of_helm(&mut part, &flags), "{flags:?}");
        }
    }
}
