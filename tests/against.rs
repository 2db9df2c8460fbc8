//! `diff --against`: a release is compared with itself in every form, and with what real Helm renders of the Iter8 chart.

#[path = "parts/shared.rs"]
mod shared;
#[path = "parts/skipped.rs"]
mod skipped;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use proptest::prelude::*;
use r8::cli::{Terminals, run};
use serde_json::Value;
use shared::shared;

/// r8 in a folder, with a text on stdin.
fn r8(folder: &Path, words: &[&str], stdin: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_r8"))
        .args(words)
        .current_dir(folder)
        .env("HELM_NAMESPACE", "default")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who refuses the words reads nothing.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

/// The folders below `testdata/render` whose values say everything: flags choose only what is printed.
fn cases() -> Vec<PathBuf> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        let args = fs::read_to_string(folder.join("args")).unwrap_or_default();
        let prints = args.is_empty() || args.starts_with("--ready") || args.starts_with("--routing");
        if folder.join("want.yaml").is_file() && prints {
            found.push(folder.to_owned());
        }
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
            collect(&entry, found);
        }
    }
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/render"), &mut found);
    found.sort();
    found
}

#[test]
fn a_release_differs_in_nothing_from_its_own_values_and_from_what_they_render() {
    let cases = cases();
    assert!(cases.len() > 30, "{} cases", cases.len());
    for (number, folder) in cases.iter().enumerate() {
        let text = fs::read(folder.join("values.yaml")).unwrap();
        let form = [&["-o", "json"][..], &["--api-version", "v1"], &[]][number % 3];
        let rendered = r8(folder, &[&["render", "shop", "-f", "values.yaml"], form].concat(), b"").stdout;
        for before in [&text, &rendered] {
            let words = ["diff", "shop", "--against", "-", "-f", "values.yaml", "--exit-code"];
            let output = r8(folder, &words, before);
            let printed = String::from_utf8(output.stdout).unwrap();
            let place = folder.display();
            assert_eq!(output.status.code(), Some(0), "{place} {form:?}\n{printed}");
            assert!(printed.lines().last().unwrap().starts_with("no changes: "), "{place} {form:?}\n{printed}");
        }
    }
}

#[test]
fn a_text_of_blank_lines_comments_and_marks_alone_says_that_nothing_was_live() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/cli/against.in");
    let words = ["diff", "--against", "-", "-f", "one.yaml", "-U", "0"];
    let outcome = |text: &str| {
        let output = r8(&folder, &words, text.as_bytes());
        (output.status.code(), String::from_utf8(output.stderr).unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let note = "note: `--against -` is empty: nothing is taken for live\n";
    for text in ["", "\n \n", "# none\n", "\u{feff}# none\r\n--- # none\r\n...\n", "---\n---"] {
        let (code, told, printed) = outcome(text);
        assert_eq!((code, told.as_str()), (Some(0), note), "{text:?}");
        assert!(printed.ends_with("\n5 to create, 0 to update, 0 to delete, 0 unchanged\n"), "{text:?}\n{printed}");
    }
    for text in ["{}", "# none\na: 1\n", "---a", "null"] {
        let (code, told, printed) = outcome(text);
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{text:?}");
        assert!(!told.contains(note), "{text:?}\n{told}");
    }
}

#[test]
fn of_many_mistakes_people_read_the_first_and_machines_all() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/cli/against.in");
    let object = |name: &str| format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
    for (text, kind, more) in [(object("a").repeat(31), "warning", "warnings"), (object("[]").repeat(30), "error", "")]
    {
        let words = ["diff", "--against", "-", "-f", "one.yaml", "-o", "json"];
        let output = r8(&folder, &words, text.as_bytes());
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = document["findings"].as_array().unwrap();
        let lines: Vec<u64> = findings.iter().map(|finding| finding["place"]["line"].as_u64().unwrap()).collect();
        let first = if kind == "warning" { 2 } else { 1 };
        assert_eq!(lines, (first..first + 30).map(|number| 4 * number).collect::<Vec<u64>>());
        assert!(findings.iter().all(|finding| finding["severity"] == kind), "{document:#}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(told.matches(&format!("{kind}: ")).count(), 20, "{told}");
        assert!(told.contains(&format!("\n… and 10 more {more}").trim_end().to_owned()), "{told}");
    }
}

#[test]
fn what_the_chart_renders_is_compared_and_its_controllers_route_counts_as_live() {
    let Some(folder) = shared("oracle") else { return };
    let mut routed = 0;
    for case in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let release: Value = serde_json::from_slice(&fs::read(case.join("release.json")).unwrap()).unwrap();
        let (name, namespace) = (release["release"].as_str().unwrap(), release["namespace"].as_str().unwrap());
        let words = ["diff", name, "-n", namespace, "--against", "helm.yaml", "-f", "values.yaml", "-o", "json"];
        let output = r8(&case, &words, b"");
        let place = case.display();
        assert_eq!(output.status.code(), Some(0), "{place}\n{}", String::from_utf8_lossy(&output.stderr));
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let chart = fs::read_to_string(case.join("helm.yaml")).unwrap();
        let objects = document["objects"].as_array().unwrap();
        let versions =
            objects.iter().filter(|object| object["role"].as_str().is_some_and(|r| r.starts_with("version=")));
        let actions: Vec<&str> = versions.map(|object| object["action"].as_str().unwrap()).collect();
        assert!(!actions.is_empty() && !actions.contains(&"create"), "{place}: {actions:?}");
        if chart.contains("routingTemplates:") {
            routed += 1;
            let shares = document["traffic"].as_array().unwrap();
            assert!(!shares.is_empty() && shares.iter().any(|share| !share["before"].is_null()), "{place}: {shares:?}");
        }
    }
    assert!(routed > 30, "{routed} releases are routed");
}

/// Manifests that a chart renders: a routemap and no route.
const CHART: &str = include_str!("../testdata/cli/against.in/chart.yaml");

/// What a run in this process ends with, and what it prints.
fn ended(text: &str) -> (u8, String, String) {
    let values = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/cli/against.in/two.yaml");
    let words = ["r8", "diff", "-n", "default", "--against", "-", "-f", values].map(Into::into);
    let (mut out, mut told) = (Vec::new(), Vec::new());
    let nothing = |_: &str| None;
    let code = run(words, &mut text.as_bytes(), &mut out, &mut told, &nothing, Terminals::default());
    (code, String::from_utf8(out).unwrap(), String::from_utf8(told).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn manifests_with_anything_in_them_are_compared_or_refused(
        from in 0..CHART.len(),
        length in 0..60_usize,
        text in "( |\n|---|- |: |a|kind: |apiVersion: v1|\\{|\\}|\\[|null|\\{\\{|end|\"|0|items:|metadata:|&x|\\*x){0,6}"
    ) {
        let mut chart = CHART.to_owned();
        let to = (from + length).min(chart.len());
        chart.replace_range(from..to, &text);
        let (code, out, told) = ended(&chart);
        let counts = out.lines().last().is_some_and(|line| line.ends_with(" unchanged") || line.starts_with("no changes: "));
        prop_assert!(if code == 0 { counts } else { code == 2 && out.is_empty() && told.contains("error: ") }, "{code}\n{told}{out}");
    }
}
