//! The README cannot lie: its reference of values is made from the key tables, its console blocks are run.
//!
//! `SNAPSHOTS=overwrite cargo test --test readme` writes the reference anew.

use std::fmt::Write as _;
use std::path::Path;

use r8::templates::{Catalog, Form, KeyRule};

const BEGIN: &str = "<!-- reference: begin -->\n";
const END: &str = "<!-- reference: end -->\n";

#[test]
fn the_reference_of_values_is_that_of_the_key_tables() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    let expected = reference();
    if std::env::var("SNAPSHOTS").is_ok_and(|value| value == "overwrite") {
        std::fs::write(&path, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
    } else {
        assert_eq!(found, expected);
    }
}

#[test]
fn console_blocks() {
    trycmd::TestCases::new().env("HELM_NAMESPACE", "default").case("README.md");
}

/// Every key of every environment with type, default, environments and purpose.
fn reference() -> String {
    let catalog = Catalog::embedded();
    let names = catalog.names();
    let mut rows: Vec<(String, KeyRule, Vec<&str>)> = Vec::new();
    for name in &names {
        for (key, rule) in catalog.environment(name).unwrap().table.keys {
            let same = |row: &&mut (String, KeyRule, Vec<&str>)| {
                row.0 == key && row.1.doc == rule.doc && row.1.form == rule.form && row.1.default == rule.default
            };
            match rows.iter_mut().find(same) {
                Some(row) => row.2.push(name),
                None => rows.push((key, rule, vec![name])),
            }
        }
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let mut text = String::from("| key | type | default | environments | what |\n|---|---|---|---|---|\n");
    for (key, rule, environments) in rows {
        let default = rule.default.map_or_else(String::new, |value| format!("`{value}`"));
        let environments = if environments.len() == names.len() { "all".to_owned() } else { environments.join(", ") };
        let needed = match (&rule.required, &rule.required_unless) {
            (true, _) => " (required)".to_owned(),
            (_, Some(unless)) => format!(" (required unless `{unless}`)"),
            _ => String::new(),
        };
        writeln!(text, "| `{key}` | {} | {default} | {environments} | {}{needed} |", form(rule.form), rule.doc)
            .unwrap();
    }
    text
}

fn form(form: Form) -> String {
    serde_json::to_value(form).unwrap().as_str().unwrap().replace('-', " ")
}
