//! JUnit's XML, as the schemas of Ant and Jenkins agree on it: one test case per release, one more for what belongs to none.
//!
//! An invalid release is a failure; what kept r8 from its work is an error. A test case holds the messages that a terminal
//! would show; its warnings stand in `system-out`. No time is told: the same values give the same document.

use super::{Finding, Findings, Severity, count, in_line, is_wrong};

struct Case<'a> {
    name: &'a str,
    findings: &'a [Finding],
    /// The element for what is wrong.
    wrong: &'static str,
}

pub(super) fn write(findings: &Findings) -> String {
    let wrong = if findings.complete { "failure" } else { "error" };
    let mut cases: Vec<Case<'_>> = findings
        .checks
        .iter()
        .map(|check| Case { name: &check.name, findings: &check.findings, wrong: "failure" })
        .collect();
    if !findings.rest.is_empty() || cases.is_empty() {
        cases.push(Case { name: "r8", findings: &findings.rest, wrong });
    }
    let failed = |element: &str| cases.iter().filter(|case| case.wrong == element && is_wrong(case.findings)).count();
    let counts = format!("tests=\"{}\" failures=\"{}\" errors=\"{}\"", cases.len(), failed("failure"), failed("error"));
    let suite = format!("r8 {}", findings.command);
    let cases: String = cases.iter().map(|case| of_case(case, findings.command)).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{suite}\" {counts}>\n  <testsuite name=\"{suite}\" \
         {counts}>\n{cases}  </testsuite>\n</testsuites>\n"
    )
}

fn of_case(case: &Case<'_>, command: &str) -> String {
    let (wrong, other): (Vec<&Finding>, Vec<&Finding>) =
        case.findings.iter().partition(|finding| finding.severity == Severity::Error);
    let whole = |findings: &[&Finding]| findings.iter().map(|finding| finding.whole()).collect::<Vec<_>>().join("\n");
    let start = format!("    <testcase name=\"{}\" classname=\"r8.{command}\"", attribute(&in_line(case.name)));
    let mut inside = String::new();
    if let Some(first) = wrong.first() {
        let more = match wrong.len() - 1 {
            0 => String::new(),
            more => format!(" (and {})", count(more, "more error")),
        };
        let (element, rule) = (case.wrong, first.rule);
        let message = attribute(&format!("{}{more}", first.message));
        let text = escaped(&whole(&wrong));
        inside.push_str(&format!("      <{element} type=\"{rule}\" message=\"{message}\">{text}</{element}>\n"));
    }
    if !other.is_empty() {
        inside.push_str(&format!("      <system-out>{}</system-out>\n", escaped(&whole(&other))));
    }
    if inside.is_empty() { format!("{start}/>\n") } else { format!("{start}>\n{inside}    </testcase>\n") }
}

/// Text for an element; what XML 1.0 cannot hold is replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            // `]]>` may stand nowhere.
            '>' => escaped.push_str("&gt;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' | '\n' => escaped.push(character),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            character => escaped.push(character),
        }
    }
    escaped
}

/// Text for an attribute: its readers would take a break for a blank.
fn attribute(text: &str) -> String {
    escaped(text).replace('"', "&quot;").replace('\t', "&#9;").replace('\n', "&#10;")
}
