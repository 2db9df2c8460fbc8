//! What holds of every form, whatever was found.

#[path = "outputs/readers.rs"]
#[expect(dead_code, reason = "the cases use the rest")]
mod readers;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use r8::findings::{COMMENT_LIMIT, Check, Finding, Findings, Form, Place, RULES, Severity};
use regex_lite::Regex;
use serde_json::{Map, Value};

fn finding(message: &str, source: &str) -> Finding {
    let place = Place { source: source.to_owned(), is_file: true, line: Some(5), column: Some(12), length: Some(3) };
    Finding {
        severity: Severity::Error,
        rule: "wrong-type",
        message: message.to_owned(),
        hint: Some(message.to_owned()),
        place: Some(place),
        excerpt: format!(" 5 | {message}\n   | ^\n"),
    }
}

fn findings(name: &str, list: Vec<Finding>) -> Findings {
    let check = Check {
        name: name.to_owned(),
        file: Some(name.to_owned()),
        facts: Map::new(),
        said: format!("release {name}"),
        findings: list,
    };
    Findings {
        command: "validate",
        version: "0.1.0",
        verdict: "the release is invalid".into(),
        complete: true,
        checks: vec![check],
        rest: Vec::new(),
    }
}

#[test]
fn every_rule_has_a_name_of_its_own_that_is_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let arm = Regex::new(r#"=>\s*"([^"]*)","#).unwrap();
    let told =
        Regex::new(r#"(?:Failure::Rule\(|remark\("\w+", |rule: |\(Severity::\w+, |=> \("\w+", )"([^"]*)""#).unwrap();
    let (mut of_variants, mut named) = (Vec::new(), BTreeSet::new());
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let code = fs::read_to_string(&path).unwrap();
            for body in code.split("pub fn rule(&self) -> &'static str {").skip(1) {
                let body = body.split("\n    }\n").next().unwrap();
                of_variants.extend(arm.captures_iter(body).map(|found| found[1].to_owned()));
            }
            if path.components().any(|part| part.as_os_str() == "cli") {
                named.extend(told.captures_iter(&code).map(|found| found[1].to_owned()));
            }
        }
    }
    assert!(of_variants.len() > 120, "only {} names were found", of_variants.len());
    // A name that two variants have says less than either.
    let of_variants_once: BTreeSet<String> = of_variants.iter().cloned().collect();
    assert_eq!(of_variants_once.len(), of_variants.len());
    named.extend(of_variants_once);
    let ids: Vec<String> = RULES.iter().map(|rule| rule.id.to_owned()).collect();
    assert_eq!(ids.iter().cloned().collect::<BTreeSet<_>>(), named);
    assert_eq!(ids.len(), named.len(), "a name is explained twice");
    let kebab = Regex::new("^[a-z0-9]+(-[a-z0-9]+)*$").unwrap();
    let unsound: Vec<&String> = ids.iter().filter(|id| !kebab.is_match(id)).collect();
    assert!(unsound.is_empty(), "{unsound:?}");
    assert!(RULES.iter().all(|rule| rule.what.ends_with('.') && !rule.what.contains('`')));
}

/// Lines that `@actions/core` 3.0.1, GitHub's own toolkit, writes for the properties and messages beside them.
#[test]
fn commands_are_those_of_githubs_toolkit() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/outputs/actions-core.json");
    let cases: Vec<Value> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(cases.len() > 5);
    for case in cases {
        let (file, message) = (case["file"].as_str().unwrap(), case["message"].as_str().unwrap());
        let finding = Finding { hint: None, ..finding(message, file) };
        let written = findings("values.yaml", vec![finding]).write(Form::Github);
        let (command, _) = written.split_once('\n').unwrap();
        // The order of properties says nothing.
        let parts = |line: &str| -> (BTreeSet<String>, String) {
            let (head, data) = line.strip_prefix("::error ").unwrap().split_once("::").unwrap();
            (head.split(',').map(str::to_owned).collect(), data.to_owned())
        };
        assert_eq!(parts(command), parts(case["line"].as_str().unwrap()));
    }
}

#[test]
fn a_comment_is_cut_between_findings_and_says_what_is_left_out() {
    let many = (0..900).map(|number| finding(&format!("`key{number}` is unknown, {}", "x".repeat(60)), "v.yaml"));
    let text = findings("v.yaml", many.collect()).write(Form::Markdown);
    assert!((COMMENT_LIMIT - 900..=COMMENT_LIMIT).contains(&text.len()), "{}", text.len());
    let shown = readers::shown(&text);
    let count = (0..900).filter(|number| shown.contains(&format!("key{number} is unknown"))).count();
    assert!(count > 100);
    assert!(
        shown.contains(&format!("… {} more messages are left out: the text would be too long.", 900 - count)),
        "{shown}"
    );
    assert!(text.ends_with("</details>\n\n"), "{text}");
}

#[test]
fn a_comment_about_many_releases_is_cut_too() {
    let one = findings(&"v".repeat(100), vec![finding("wrong", "v.yaml")]);
    let all = Findings { checks: vec![one.checks[0].clone(); 900], ..one };
    let text = all.write(Form::Markdown);
    assert!(text.len() <= COMMENT_LIMIT, "{}", text.len());
    let shown = readers::shown(&text);
    let rows = shown.matches("release vvv").count();
    assert!(shown.contains(&format!("… {} more releases are left out", 900 - rows)), "{rows}");
    let parts = shown.matches("1 error\n").count();
    assert!(parts > 20 && shown.contains(" more parts are left out"), "{parts}");
}

#[test]
fn a_finding_keeps_its_fingerprint_when_lines_are_added_above_it() {
    let fingerprints = |findings: &Findings| -> Vec<String> {
        let report: Vec<Value> = serde_json::from_str(&findings.write(Form::Gitlab)).unwrap();
        report.iter().map(|issue| issue["fingerprint"].as_str().unwrap().to_owned()).collect()
    };
    let (first, other) = (finding("wrong", "v.yaml"), finding("wrong", "w.yaml"));
    let mut moved = first.clone();
    moved.place.as_mut().unwrap().line = Some(50);
    let before = fingerprints(&findings("v.yaml", vec![first.clone(), first.clone(), other.clone()]));
    assert_eq!(fingerprints(&findings("v.yaml", vec![moved.clone(), moved, other])), before);
    assert_eq!(before.iter().collect::<BTreeSet<_>>().len(), 3);
}

/// r8 on the invalid case of several files, as GitHub Actions runs it.
fn annotated(summary: &Path) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_r8"))
        .args(["validate", "values.yaml", "-o", "github"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/outputs/errors"))
        .env_clear()
        .env("GITHUB_STEP_SUMMARY", summary)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_summary_of_a_step_is_written_behind_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let summary = folder.path().join("summary.md");
    let want =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/outputs/errors/want.md")).unwrap();
    for before in ["", "# Before\n\n"] {
        fs::write(&summary, before).unwrap();
        let (code, stdout, stderr) = annotated(&summary);
        assert_eq!((code, stderr.as_str()), (Some(2), ""));
        assert!(stdout.starts_with("::error "), "{stdout}");
        assert_eq!(fs::read_to_string(&summary).unwrap(), format!("{before}{want}"));
    }
}

#[test]
fn a_summary_that_is_full_takes_no_more_than_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let summary = folder.path().join("summary.md");
    fs::write(&summary, "x".repeat((1 << 20) - 500)).unwrap();
    assert_eq!(annotated(&summary).0, Some(2));
    let written = fs::read_to_string(&summary).unwrap();
    assert!(written.len() <= 1 << 20, "{}", written.len());
    assert!(written.ends_with("left out: the text would be too long._\n\n"), "{}", &written[(1 << 20) - 500..]);
}

#[test]
fn a_summary_that_cannot_be_written_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = annotated(folder.path());
    assert_eq!((code, stderr.as_str()), (Some(2), ""));
    let warning = "::warning title=r8 system::cannot write the summary: this is a directory; name a file\n";
    assert!(stdout.contains(warning), "{stdout}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// A report masks what acts on a terminal; here everything may come.
    #[test]
    fn no_text_leaves_its_place(message in "[ -~\n\r\té漢\u{0}\u{7}\u{85}\u{2028}\u{ffff}]{0,40}", file in "[ -~é]{1,20}") {
        let findings = findings(&file, vec![finding(&message, &file)]);
        for form in [Form::Json, Form::Github, Form::Gitlab, Form::Sarif] {
            let text = findings.write(form);
            let read = match form {
                Form::Json => readers::json(&text),
                Form::Github => readers::github(&text),
                Form::Gitlab if file.starts_with("./") => continue,
                Form::Gitlab => readers::gitlab(&text),
                _ => readers::sarif(&text),
            };
            let [one] = read.messages.as_slice() else { panic!("{form:?}: {text}") };
            prop_assert!(one.text.starts_with(&message), "{form:?}: {text}");
            let place = format!("{file}:5:12");
            prop_assert_eq!(one.place.as_ref(), Some(&place), "{:?}", form);
        }
        let junit = readers::junit(&findings.write(Form::Junit)).visible.unwrap();
        let holds = |c: char| c >= ' ' && c != '\u{ffff}' && c != '`';
        let kept: String = message.chars().filter(|c| holds(*c)).collect();
        prop_assert!(junit.chars().filter(|c| holds(*c) && *c != '\u{fffd}').collect::<String>().contains(&kept), "{junit}");
        readers::markdown(&findings.write(Form::Markdown));
    }

    #[test]
    fn markdown_shows_every_text_as_it_is(message in "[!-~é漢]{1,30}", file in "[!-~é]{1,20}") {
        let shown = readers::markdown(&findings(&file, vec![finding(&message, &file)]).write(Form::Markdown)).visible.unwrap();
        let plain = |text: &str| text.replace('`', "");
        prop_assert!(plain(&shown).contains(&plain(&message)), "{shown}");
        prop_assert!(plain(&shown).contains(&plain(&format!("{file}:5:12"))), "{shown}");
    }
}
