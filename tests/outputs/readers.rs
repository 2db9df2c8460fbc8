//! What the readers of each form make of a document; each refuses one that its ecosystem would refuse.
//!
//! | form | proven by |
//! |---|---|
//! | json | `serde_json`, and the keys that r8 promises |
//! | markdown | `comrak`, a port of GitHub's renderer; its HTML is well-formed XML of few elements, without a link or picture |
//! | github | the grammar and the order of unescaping of the runner, written down here; the lines that `@actions/core` writes stand in `tests/findings.rs` |
//! | gitlab | the documented report as a JSON Schema, and the rule that fingerprints differ |
//! | junit | `junit-parser`, and an XML Schema that takes less than the published ones, by `xmloxide` |
//! | sarif | the schema of OASIS, from the package `serde-sarif`, by `jsonschema`, and that package's own types |

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

/// A message as a reader has it: severity, text, and `file:line:column`, so far as the form says them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub severity: String,
    pub text: String,
    pub place: Option<String>,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Read {
    pub messages: Vec<Message>,
    /// Everything that a person sees, of a form that has no messages of its own.
    pub visible: Option<String>,
}

/// What people are told on stderr.
pub struct Told {
    messages: Vec<Message>,
    is_diff: bool,
}

impl Told {
    /// Takes the messages and their places from the text; the last one may be what comes of all others.
    pub fn parse(text: &str, is_diff: bool) -> Told {
        let mut messages: Vec<Message> = Vec::new();
        for line in text.lines() {
            let kinds = ["error", "warning", "note"];
            let start = kinds.iter().find_map(|kind| Some((*kind, line.strip_prefix(kind)?.strip_prefix(": ")?)));
            if let Some((kind, text)) = start.filter(|(_, text)| !text.ends_with(" releases are invalid")) {
                messages.push(Message { severity: kind.to_owned(), text: text.to_owned(), place: None });
            } else if let (Some(place), Some(message)) = (line.strip_prefix("  --> "), messages.last_mut()) {
                // A machine is told the path without its way back.
                message.place = place.split(" (used at").next().map(|place| place.replace("sub/../", ""));
            }
        }
        Told { messages, is_diff }
    }

    /// A machine is told every message that people are told, at the same place, and no other.
    pub fn compare(&self, form: &str, read: &Read) {
        if let Some(visible) = &read.visible {
            let visible = visible.replace('`', "");
            for message in &self.messages {
                let text = message.text.replace('`', "");
                assert!(visible.contains(&text), "{form} does not show {text:?}:\n{visible}");
                if let Some(place) = &message.place {
                    assert!(visible.contains(place), "{form} does not show {place}:\n{visible}");
                }
            }
            return;
        }
        // What an apply would refuse is part of a difference, and no message beside it.
        let (found, refusals) = read.messages.split_at(self.messages.len().min(read.messages.len()));
        assert_eq!(found.len(), self.messages.len(), "{form}: {:#?}", read.messages);
        let is_refusal = |message: &Message| self.is_diff && message.severity == "error" && message.place.is_some();
        assert!(refusals.iter().all(is_refusal), "{form}: {refusals:#?}");
        for (told, message) in self.messages.iter().zip(found) {
            assert_eq!(told.severity, message.severity, "{form}");
            assert!(message.text.starts_with(&told.text), "{form}: {:?} is not {:?}", message.text, told.text);
            match (&told.place, &message.place) {
                (Some(told), Some(place)) if is_file(told) => assert_eq!(told, place, "{form}"),
                // An argument is no file: a person is told which one, and so is a machine.
                (Some(told), _) if !is_file(told) => assert!(message.text.contains(told), "{form}: {}", message.text),
                // People see the objects; a machine shows the values.
                (None, Some(_)) if self.is_diff => {}
                (None, Some(place)) => assert!(place.ends_with(":1") || !place.contains(':'), "{form}: {place}"),
                (told, place) => assert_eq!((told.is_some(), form == "junit"), (place.is_some(), false), "{form}"),
            }
        }
    }
}

fn is_file(place: &str) -> bool {
    !place.starts_with("--") && !place.starts_with("stdin")
}

fn place(file: &str, line: Option<u64>, column: Option<u64>) -> String {
    let numbers = line.into_iter().chain(column).map(|number| format!(":{number}"));
    format!("{file}{}", numbers.collect::<String>())
}

pub fn json(text: &str) -> Read {
    let document: Value = serde_json::from_str(text).unwrap();
    assert_eq!(document["apiVersion"], "r8/v1");
    assert!(document["verdict"].is_string());
    let releases = match document["kind"].as_str() {
        Some("Validation") => document["releases"].as_array().unwrap().as_slice(),
        // Who compares nothing has no objects: an empty list would say that nothing changes.
        Some("Diff") => {
            assert_eq!(document["objects"].is_array(), document["verdict"] != "nothing was compared");
            &[]
        }
        other => panic!("{other:?}"),
    };
    let lists = releases.iter().map(|release| &release["findings"]);
    let findings = lists.chain([&document["findings"]]).flat_map(|list| list.as_array().unwrap());
    let message = |finding: &Value| {
        let text = finding["message"].as_str().unwrap();
        let of = &finding["place"];
        let (line, column) = (of["line"].as_u64(), of["column"].as_u64());
        let source = of["source"].as_str().map(|source| place(source, line, column)).unwrap_or_default();
        Message {
            severity: finding["severity"].as_str().unwrap().to_owned(),
            text: format!("{text} {source}"),
            place: of["file"].as_str().map(|file| place(file, line, column)),
        }
    };
    Read { messages: findings.map(message).collect(), visible: None }
}

pub fn markdown(text: &str) -> Read {
    assert!(text.len() <= r8::findings::COMMENT_LIMIT);
    Read { messages: Vec::new(), visible: Some(shown(text)) }
}

/// What a person sees of Markdown on GitHub; refuses everything that r8 does not mean to write.
pub fn shown(text: &str) -> String {
    let mut options = comrak::Options::default();
    options.extension.autolink = true;
    options.extension.table = true;
    options.extension.strikethrough = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.extension.alerts = true;
    options.render.r#unsafe = true;
    let html = comrak::markdown_to_html(text, &options);
    let page = xmloxide::Document::parse_str(&format!("<page>{html}</page>"))
        .unwrap_or_else(|error| panic!("{error}: {html}"));
    let known = [
        "page", "h3", "p", "strong", "em", "code", "pre", "table", "thead", "tbody", "tr", "th", "td", "details",
        "summary", "ol", "ul", "li",
    ];
    let (mut words, mut code) = (String::new(), false);
    for node in page.descendants(page.root()) {
        if let Some(name) = page.node_name(node).filter(|_| page.is_element(node)) {
            assert!(known.contains(&name), "<{name}>: {html}");
            let attributes: Vec<String> = page.attributes(node).iter().map(|of| of.name.clone()).collect();
            assert!(attributes.iter().all(|of| of == "class" && name == "code"), "{attributes:?}: {html}");
        } else if let Some(text) = page.node_text(node) {
            code = page.ancestors(node).any(|above| page.node_name(above) == Some("code"));
            let called = regex_lite::Regex::new(r"[@#]\w").unwrap().is_match(text) && !code;
            assert!(!called, "somebody is called: {text}");
            words.push_str(text);
        }
    }
    let _ = code;
    words.replace('\u{200b}', "")
}

/// Reads workflow commands as the runner does: names and properties first, then the escapes, `%25` last.
pub fn github(text: &str) -> Read {
    let mut messages = Vec::new();
    let mut plain = Vec::new();
    for line in text.lines() {
        let Some(command) = line.trim_start().strip_prefix("::") else {
            plain.push(line);
            continue;
        };
        let (head, data) = command.split_once("::").expect("a command ends with two colons");
        let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
        assert!(["error", "warning", "notice"].contains(&name), "{line}");
        let unescaped = |text: &str| text.replace("%0D", "\r").replace("%0A", "\n");
        let property = |key: &str| {
            let pair =
                properties.split(',').filter_map(|pair| pair.split_once('=')).find(|(known, _)| *known == key)?;
            Some(unescaped(pair.1).replace("%3A", ":").replace("%2C", ",").replace("%25", "%"))
        };
        assert!(property("title").unwrap().starts_with("r8 "), "{line}");
        let number = |key: &str| property(key).map(|number| number.parse().unwrap());
        messages.push(Message {
            severity: name.replace("notice", "note"),
            text: unescaped(data).replace("%25", "%"),
            place: property("file").map(|file| place(&file, number("line"), number("col"))),
        });
    }
    assert_eq!(plain.len(), 1, "the verdict is the only other line: {plain:?}");
    Read { messages, visible: None }
}

pub fn gitlab(text: &str) -> Read {
    let report: Value = serde_json::from_str(text).unwrap();
    valid(&file("gitlab-code-quality.json"), &report);
    let issues = report.as_array().unwrap();
    let fingerprints: BTreeSet<&str> = issues.iter().map(|issue| issue["fingerprint"].as_str().unwrap()).collect();
    assert_eq!(fingerprints.len(), issues.len(), "of two issues with one fingerprint GitLab shows one");
    let message = |issue: &Value| {
        let location = &issue["location"];
        let line = location["lines"]["begin"].as_u64();
        let column = location["positions"]["begin"]["column"].as_u64();
        let severity = match issue["severity"].as_str().unwrap() {
            "major" => "error",
            "minor" => "warning",
            _ => "note",
        };
        Message {
            severity: severity.to_owned(),
            text: issue["description"].as_str().unwrap().to_owned(),
            place: Some(place(location["path"].as_str().unwrap(), line, column)),
        }
    };
    Read { messages: issues.iter().map(message).collect(), visible: None }
}

pub fn junit(text: &str) -> Read {
    let schema = std::fs::read_to_string(schemas().join("junit.xsd")).unwrap();
    let schema = xmloxide::validation::xsd::parse_xsd(&schema).unwrap();
    let document = xmloxide::Document::parse_str(text).unwrap();
    let result = xmloxide::validation::xsd::validate_xsd(&document, &schema);
    assert!(result.is_valid, "{:?}", result.errors);
    let suites = junit_parser::from_reader(text.as_bytes()).unwrap();
    let [suite] = suites.suites.as_slice() else { panic!("one suite") };
    let of =
        |is: fn(&junit_parser::TestStatus) -> bool| suite.cases.iter().filter(|case| is(&case.status)).count() as u64;
    let (failures, errors) = (of(junit_parser::TestStatus::is_failure), of(junit_parser::TestStatus::is_error));
    // The text is taken from the XML: the parser of reports passes over `&gt;` and its kind.
    let visible = document.text_content(document.root());
    let counted = (suite.cases.len() as u64, failures, errors);
    assert_eq!((suite.tests, suite.failures, suite.errors), counted);
    assert_eq!((suites.tests, suites.failures, suites.errors), counted);
    Read { messages: Vec::new(), visible: Some(visible.replace('`', "")) }
}

pub fn sarif(text: &str) -> Read {
    let document: Value = serde_json::from_str(text).unwrap();
    valid(&SARIF, &document);
    let log: serde_sarif::sarif::Sarif = serde_json::from_str(text).unwrap();
    let [run] = log.runs.as_slice() else { panic!("one run") };
    let rules = run.tool.driver.rules.clone().unwrap_or_default();
    let results = run.results.clone().unwrap_or_default();
    let used: BTreeSet<&String> = results.iter().filter_map(|result| result.rule_id.as_ref()).collect();
    assert_eq!(rules.iter().map(|rule| &rule.id).collect::<BTreeSet<_>>(), used);
    let message = |result: &serde_sarif::sarif::Result| {
        let rule = &rules[usize::try_from(result.rule_index.unwrap()).unwrap()];
        assert_eq!(Some(&rule.id), result.rule_id.as_ref());
        let [location] = result.locations.as_deref().unwrap() else { panic!("one place") };
        let physical = location.physical_location.as_ref().unwrap();
        let region = physical.region.as_ref().unwrap();
        assert!(region.end_column >= region.start_column);
        let uri = physical.artifact_location.as_ref().unwrap().uri.as_deref().unwrap();
        let number = |number: Option<i64>| number.map(|number| u64::try_from(number).unwrap());
        Message {
            severity: serde_json::to_value(result.level.as_ref().unwrap()).unwrap().as_str().unwrap().to_owned(),
            text: result.message.text.clone().unwrap(),
            place: Some(place(
                &decoded(uri.strip_prefix("file://").unwrap_or(uri)),
                number(region.start_line),
                number(region.start_column),
            )),
        }
    };
    Read { messages: results.iter().map(message).collect(), visible: None }
}

/// A path without its percent signs.
fn decoded(uri: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = uri.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn schemas() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/schemas")
}

fn file(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(schemas().join(name)).unwrap()).unwrap()
}

fn valid(schema: &Value, document: &Value) {
    let validator = jsonschema::options().should_validate_formats(true).build(schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// The schema of OASIS: the package whose types are made of it has it in its source.
static SARIF: LazyLock<Value> = LazyLock::new(|| {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let words = ["metadata", "--format-version", "1", "--locked", "--offline"];
    let output = Command::new(cargo).args(words).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo knows the packages");
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "serde-sarif").unwrap();
    let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap());
    let text = std::fs::read_to_string(manifest.with_file_name("src").join("schema.json")).unwrap();
    // Of a language, which r8 does not name: no regular expression in the dialect of JSON Schema.
    let odd = r#""pattern": "^[a-zA-Z]{2}|^[a-zA-Z]{2}-[a-zA-Z]{2}]?$""#;
    let schema: Value = serde_json::from_str(&text.replace(odd, r#""minLength": 2"#)).unwrap();
    assert_eq!(schema["title"], "Static Analysis Results Format (SARIF) Version 2.1.0 JSON Schema");
    schema
});
