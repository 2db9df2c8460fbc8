//! Markdown as GitHub and GitLab show it: a title, a table, and what was found of each release, folded away.
//!
//! Text of the values is escaped so that it is shown as it is: it makes no heading, no link and no HTML, and it calls nobody.

use std::fmt::Write;

use super::visible::{escape, is_hidden, visible};
use super::{Check, Finding, Findings, Severity, count};

/// The most of a comment on GitHub, 65,536 characters; counted in bytes, so that no way of counting gives more.
pub const COMMENT_LIMIT: usize = 65_536;

/// Room for the line that says how much of a section, or of a page, is left out.
const LEFT_OUT: usize = 120;

/// A page that is cut between its parts where it would be too long.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The parts in their order.
    pub sections: Vec<Section>,
}

/// A part of a page: what stands before its items, the items, what stands behind them; whole lines each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    /// Always shown where the section is.
    pub before: String,
    /// Shown from the first one on, as long as there is room.
    pub items: Vec<String>,
    /// The most bytes of all items together; none where the page is the only limit.
    pub most: Option<usize>,
    /// What one item is, to count those left out.
    pub noun: &'static str,
    /// Always shown where the section is.
    pub behind: String,
}

impl Section {
    /// A part that is shown whole or not at all.
    pub fn of(text: impl Into<String>) -> Section {
        Section { before: text.into(), noun: "section", ..Section::default() }
    }
}

impl Page {
    /// The page in at most so many bytes: items, and then whole sections, that do not fit are left out, and the page says
    /// how many.
    pub fn text(&self, limit: usize) -> String {
        let mut text = String::new();
        let mut left = limit.saturating_sub(LEFT_OUT);
        for (index, section) in self.sections.iter().enumerate() {
            let fixed = section.before.len() + section.behind.len() + LEFT_OUT;
            let Some(rest) = left.checked_sub(fixed) else {
                text.push_str(&left_out(self.sections.len() - index, "part"));
                break;
            };
            text.push_str(&section.before);
            let (mut room, mut shown) = (section.most.map_or(rest, |most| most.min(rest)), 0);
            let all = room;
            for item in &section.items {
                let Some(rest) = room.checked_sub(item.len()) else { break };
                text.push_str(item);
                (room, shown) = (rest, shown + 1);
            }
            if shown < section.items.len() {
                text.push_str(&left_out(section.items.len() - shown, section.noun));
            }
            text.push_str(&section.behind);
            left = rest - (all - room);
        }
        text
    }
}

fn left_out(number: usize, noun: &str) -> String {
    let is = if number == 1 { "is" } else { "are" };
    let more = count(number, &format!("more {noun}"));
    format!("\n_… {more} {is} left out: the text would be too long._\n\n")
}

pub(super) fn write(findings: &Findings) -> Page {
    let mut sections = vec![Section::of(format!("### r8 {}: {}\n\n", findings.command, text(&findings.verdict)))];
    if !findings.checks.is_empty() {
        let mut table = Section::of("| | values | what |\n|---|---|---|\n");
        table.items = findings.checks.iter().map(of_check).collect();
        table.noun = "release";
        table.most = Some(COMMENT_LIMIT / 4);
        table.behind = "\n".to_owned();
        sections.push(table);
    }
    let of_rest = (!findings.rest.is_empty()).then(|| Section {
        items: findings.rest.iter().map(item).collect(),
        noun: "message",
        ..Section::default()
    });
    sections.extend(of_rest);
    sections.extend(findings.checks.iter().filter(|check| !check.findings.is_empty()).map(details));
    Page { sections }
}

fn of_check(check: &Check) -> String {
    let word = if check.passed() { "valid" } else { "**invalid**" };
    let said = [check.said.clone(), counts(check)].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
    row(&[word.to_owned(), code(&check.name), text(&said.join("; "))])
}

/// How many errors, warnings and notes there are.
fn counts(check: &Check) -> String {
    let of = |severity: Severity| match check.count(severity) {
        0 => None,
        number => Some(count(number, severity.word())),
    };
    let counts = [Severity::Error, Severity::Warning, Severity::Note].into_iter().filter_map(of);
    counts.collect::<Vec<_>>().join(", ")
}

/// A row of a table of these cells, each Markdown.
pub fn row(cells: &[String]) -> String {
    let cells: String = cells.iter().map(|cell| format!(" {} |", in_cell(cell))).collect();
    format!("|{cells}\n")
}

/// Markdown for a cell of a table: a bar would end it, also in code.
fn in_cell(markdown: &str) -> String {
    markdown.replace("\\|", "|").replace('|', "\\|")
}

fn details(check: &Check) -> Section {
    Section {
        before: format!("<details>\n<summary><code>{}</code>: {}</summary>\n\n", html(&check.name), counts(check)),
        items: check.findings.iter().map(item).collect(),
        most: None,
        noun: "message",
        behind: "</details>\n\n".to_owned(),
    }
}

/// One finding: a paragraph, and the lines that are meant.
pub fn item(finding: &Finding) -> String {
    let mut item = format!("**{}** {}", finding.severity.word(), code(finding.rule));
    if let Some(place) = &finding.place {
        let _ = write!(item, " at {}", code(&place.words()));
    }
    let _ = writeln!(item, ": {}", text(&finding.message));
    if !finding.excerpt.is_empty() {
        let _ = write!(item, "\n{}", block("text", &finding.excerpt));
    }
    if let Some(hint) = &finding.hint {
        let _ = write!(item, "\nhint: {}\n", text(hint));
    }
    item.push('\n');
    item
}

/// Text between others on a line; what stands between backticks becomes code.
pub fn text(message: &str) -> String {
    let parts: Vec<&str> = message.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return plain(message);
    }
    let part = |(index, part): (usize, &&str)| match (index % 2, part.is_empty()) {
        (0, _) => plain(part),
        (_, true) => "\\`\\`".to_owned(),
        (_, false) => code(part),
    };
    parts.iter().enumerate().map(part).collect()
}

fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '&' => plain.push_str("&amp;"),
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            // A blank of no width: `@name` calls a person, `#1` an issue, and both would be told of it.
            '@' | '#' => {
                plain.push('\\');
                plain.push(character);
                plain.push_str("&#8203;");
            }
            // An address is no link.
            ':' if characters.peek() == Some(&'/') => plain.push_str("&#58;"),
            '\n' | '\r' => plain.push(' '),
            '\t' => plain.push('\t'),
            character if is_hidden(character) => {
                plain.push('\\');
                plain.push_str(&escape(character));
            }
            character if is_no_text(character) => plain.push('\u{fffd}'),
            '\\' | '`' | '*' | '_' | '~' | '[' | ']' | '(' | ')' | '{' | '}' | '|' | '!' | '$' | '^' | '=' | '+' => {
                plain.push('\\');
                plain.push(character);
            }
            character => plain.push(character),
        }
    }
    // Nor is this the beginning of one.
    plain.replace("www.", "www&#46;")
}

/// Whether a character is none that a page may have.
fn is_no_text(character: char) -> bool {
    matches!(character, '\u{fffe}' | '\u{ffff}')
}

/// Text between tags on a line.
pub fn html(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let text = text.replace('@', "@&#8203;").replace(['\n', '\r'], " ");
    visible(&text).replace(is_no_text, "\u{fffd}")
}

/// Code between others on a line; its backticks and blanks are shown.
pub fn code(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ");
    let text = visible(&text).replace(is_no_text, "\u{fffd}");
    let fence = "`".repeat(longest_run(&text) + 1);
    // One blank on each side is taken away again.
    let padded = text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']);
    let gap = if padded && !text.trim().is_empty() { " " } else { "" };
    if text.is_empty() { "\\`\\`".to_owned() } else { format!("{fence}{gap}{text}{gap}{fence}") }
}

/// Lines of code; `language` is what they are coloured as.
pub fn block(language: &str, text: &str) -> String {
    let text = visible(text).replace(is_no_text, "\u{fffd}");
    let fence = "`".repeat(longest_run(&text).max(2) + 1);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}{language}\n{text}{end}{fence}\n")
}

/// How many backticks stand together at most.
fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or(0)
}
