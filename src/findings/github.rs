//! Workflow commands of GitHub Actions: one line per finding, which the runner shows in the log and beside the file.
//!
//! Form: `::error file=PATH,line=LINE,col=COLUMN,title=TITLE::MESSAGE`. The runner takes a line for a command that begins with
//! `::`, undoes `%0D`, `%0A`, in properties `%3A` and `%2C`, too, and `%25` last.

use super::{Finding, Findings, Severity};

pub(super) fn write(findings: &Findings) -> String {
    let commands: String = findings.all().map(|(finding, _)| command(finding)).collect();
    // The verdict must not be taken for a command.
    format!("{commands}r8 {}: {}\n", findings.command, data(&findings.verdict))
}

fn command(finding: &Finding) -> String {
    let name = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut properties = Vec::new();
    if let Some(place) = finding.place.as_ref().filter(|place| place.is_file) {
        properties.push(format!("file={}", property(&place.source)));
        properties.extend(place.line.map(|line| format!("line={line}")));
        properties.extend(place.column.map(|column| format!("col={column}")));
    }
    properties.push(format!("title={}", property(&format!("r8 {}", finding.rule))));
    format!("::{name} {}::{}\n", properties.join(","), data(&finding.words("\n")))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
