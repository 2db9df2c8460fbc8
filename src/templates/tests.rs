//! Tests of the catalog.

use super::*;

#[test]
fn every_embedded_environment_is_complete() {
    let catalog = Catalog::embedded();
    assert_eq!(catalog.names().len(), 8);
    for name in catalog.names() {
        let environment = catalog.environment(&name).unwrap();
        catalog.check(&environment).unwrap();
        assert!(!environment.strategies().is_empty(), "{name}");
        for strategy in environment.strategies() {
            let files = catalog.show(&name, strategy).unwrap();
            let has_route = files.iter().any(|file| file.path.ends_with("/route.yaml.j2"));
            assert_eq!(has_route, strategy != "none", "{name}/{strategy}");
        }
    }
}

#[test]
fn the_defaults_of_an_environment_are_values() {
    let defaults = Catalog::embedded().environment("kserve-modelmesh-istio").unwrap().defaults();
    assert_eq!(
        serde_json::Value::from(defaults),
        serde_json::json!({
            "iter8Version": "v0.18", "application": {"strategy": "none"},
            "service": {"host": "modelmesh-serving.modelmesh-serving.svc.cluster.local", "port": 8033},
        })
    );
}

#[test]
fn an_expression_in_a_template_is_a_whole_value() {
    for file in Catalog::embedded().files() {
        if !file.path.ends_with(".j2") {
            continue;
        }
        for (index, line) in file.text.lines().enumerate() {
            let Some(start) = line.find("{{") else { continue };
            let end = line.rfind("}}").unwrap() + 2;
            let before = line[..start].trim_end();
            let alone = before.is_empty() || before.ends_with(':') || before.ends_with('-');
            let key = &line[end..] == ":" && before.is_empty();
            assert!(
                key || (alone && end == line.len() && !line[start + 2..].contains("{{")),
                "{}:{}: an expression must stand alone in its value",
                file.path,
                index + 1
            );
        }
    }
}

fn mistake(tables: &[(&str, &str)]) -> (String, Option<(u32, u32)>) {
    let file = |(name, text): &(&str, &str)| File { path: format!("{name}/environment.yaml"), text: (*text).into() };
    let error = Catalog::embedded().with_files(tables.iter().map(file).collect()).unwrap_err();
    (error.to_string(), error.place().map(|place| (place.line, place.column)))
}

#[test]
fn a_mistake_in_a_users_key_table_is_reported_at_its_line() {
    for (tables, message, place) in [
        (&[("a", "doc: a\nkyes: {}\n")][..], "unknown field `kyes`", (2, 1)),
        (&[("a", "doc: a\nbase: b\n"), ("b", "doc: b\nbase: a\n")], "`base` leads back to `a`", (2, 1)),
        (&[("a", "doc: a\nbase: kserv\n")], "`base` names an unknown environment `kserv`", (2, 1)),
        (&[("a", "doc: a\nstrategies:\n  nnoe: {}\n")], "`strategies` names `nnoe`", (3, 3)),
        (&[("a", "doc: a\nbase: kserve\ndestination: {object: x}\n")], "`destination.object` names `x`", (3, 1)),
        (&[("a", "doc: a\n")], "there is no template `a/version.yaml.j2`", (1, 1)),
        (
            &[("a", "base: kserve\ndoc: a\nstrategies: {mirror: {}}\n")],
            "there is no template `a/mirror/route.yaml.j2`",
            (3, 14),
        ),
        (&[("a", "doc: a\nbase: deployment\nstrategies:\n  canary: {}\n")], "strategy `canary` needs `route`", (4, 3)),
        (
            &[("_shared", "doc: a\nkeys:\n  b: {type: string, doc: b, pattern: '('}\n")],
            "`keys.b.pattern` is not a regular expression",
            (3, 3),
        ),
    ] {
        let (found, at) = mistake(tables);
        assert!(found.starts_with(message), "{found}");
        assert_eq!(at, Some(place), "{message}");
    }
}
