//! The lines that a message is about, with carets under what is meant.

use std::fmt::Write;

use unicode_width::UnicodeWidthChar;

use super::secret::HIDDEN;
use crate::findings::{escape, is_hidden};

/// The most columns of a line that are shown.
const WIDTH: usize = 120;
/// The columns of a cut line that are shown before what is meant.
const BEFORE: usize = 40;
/// Stands for what is cut off.
const CUT: &str = "…";

/// A place in a line, and what is said about it.
#[derive(Debug, Clone)]
pub(super) struct Mark<'a> {
    /// Number of the line, from 1.
    pub number: u32,
    /// The line without its end.
    pub line: &'a str,
    /// First character that is meant, from 1.
    pub column: u32,
    /// How many characters are meant, at least 1.
    pub length: u32,
    /// How many characters may be shown; all when none.
    pub visible: Option<usize>,
    /// `^` for the mistake, `-` for what belongs to it.
    pub sign: char,
    /// What stands behind the signs.
    pub label: String,
}

/// Writes the marked lines in their order, each with its signs in the colour that `paint` begins and ends.
pub(super) fn excerpt(mut marks: Vec<Mark<'_>>, paint: (&str, &str)) -> String {
    marks.retain(|mark| !mark.line.trim().is_empty());
    marks.sort_by_key(|mark| mark.number);
    let digits = marks.iter().map(|mark| mark.number.to_string().len()).max().unwrap_or(0);
    let mut text = String::new();
    let mut last = None;
    for mark in &marks {
        let gap = " ".repeat(digits);
        let (line, before, signs) = shown(mark);
        let signs = mark.sign.to_string().repeat(signs);
        let (on, off) = if mark.sign == '^' { paint } else { ("", "") };
        let label = if mark.label.is_empty() { String::new() } else { format!(" {}", mark.label) };
        let between = match last {
            None => format!(" {gap} |\n"),
            Some(number) if number + 1 >= mark.number => String::new(),
            Some(_) => "...\n".to_owned(),
        };
        text.push_str(&between);
        if last != Some(mark.number) {
            let _ = writeln!(text, " {:>digits$} | {line}", mark.number);
        }
        let _ = writeln!(text, " {gap} | {}{on}{signs}{off}{label}", " ".repeat(before));
        last = Some(mark.number);
    }
    text
}

/// The part of a line that is shown, the columns before its signs, and how many signs there are.
///
/// A line may have millions of characters: they are counted, and only those that are shown are kept.
fn shown(mark: &Mark<'_>) -> (String, usize, usize) {
    let line = mark.line.trim_end();
    let cells = || line.chars().take(mark.visible.unwrap_or(usize::MAX));
    let count = cells().count();
    let start = (mark.column.max(1) as usize - 1).min(count);
    let end = start.saturating_add(mark.length as usize).min(count);
    let hidden = if line.chars().nth(count).is_some() { HIDDEN } else { "" };
    let between = |from: usize, to: usize| cells().skip(from).take(to - from).map(columns).sum::<usize>();
    let mut before = between(0, start);
    let of_mark = between(start, end);
    let of_hidden = hidden.chars().count();
    let mut signs = of_mark + if end == count { of_hidden } else { 0 };
    // Whether more follows than fits is all that is asked of the rest: a line may have millions of characters.
    let mut rest = 0;
    for character in cells().skip(end) {
        rest += columns(character);
        if rest > WIDTH {
            break;
        }
    }
    let width = before + of_mark + rest + of_hidden;
    let (mut from, mut cut) = (0, "");
    if width > WIDTH && before + signs.min(WIDTH - BEFORE) > WIDTH {
        let mut left_out = cells();
        while before > BEFORE {
            before -= left_out.next().map_or(1, columns);
            from += 1;
        }
        (before, cut) = (before + 1, CUT);
    }
    let mut text = String::from(cut);
    let mut used = cut.chars().count();
    for character in cells().chain(hidden.chars()).skip(from) {
        let columns = columns(character);
        if used + columns > WIDTH {
            text.push_str(CUT);
            used += 1;
            break;
        }
        match character {
            '\t' => text.push_str("    "),
            character if is_hidden(character) => text.push_str(&escape(character)),
            character => text.push(character),
        }
        used += columns;
    }
    signs = signs.min(used.saturating_sub(before)).max(1);
    (text, before, signs)
}

/// The columns that a character takes as it is shown.
fn columns(character: char) -> usize {
    match character {
        '\t' => 4,
        character if is_hidden(character) => escape(character).len(),
        character => character.width().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(line: &str, column: u32, length: u32) -> Mark<'_> {
        Mark { number: 2, line, column, length, visible: None, sign: '^', label: String::new() }
    }

    fn lines(mark: Mark<'_>) -> String {
        excerpt(vec![mark], ("", ""))
    }

    #[test]
    fn a_line_is_shown_with_carets_and_the_path() {
        let mark = Mark { label: "in `a[0].weight`".into(), ..mark("  - weight: \"ten\"", 13, 5) };
        assert_eq!(lines(mark), "   |\n 2 |   - weight: \"ten\"\n   |             ^^^^^ in `a[0].weight`\n");
    }

    #[test]
    fn carets_stand_under_what_is_meant_whatever_stands_before() {
        assert_eq!(lines(mark("a:\tb", 4, 1)), "   |\n 2 | a:    b\n   |       ^\n");
        assert_eq!(lines(mark("漢字: x", 5, 1)), "   |\n 2 | 漢字: x\n   |       ^\n");
        assert_eq!(lines(mark("a: 漢字", 4, 2)), "   |\n 2 | a: 漢字\n   |    ^^^^\n");
        assert_eq!(lines(mark("🚀: x", 4, 1)), "   |\n 2 | 🚀: x\n   |     ^\n");
        assert_eq!(lines(mark("e\u{301}: x", 5, 1)), "   |\n 2 | e\u{301}: x\n   |    ^\n");
        assert_eq!(lines(mark("a\u{202e}: x\r", 5, 1)), "   |\n 2 | a\\u202e: x\n   |          ^\n");
    }

    #[test]
    fn a_long_line_is_cut_around_what_is_meant() {
        let long = "x".repeat(300);
        let start = lines(mark(&long, 3, 2));
        assert_eq!(start, format!("   |\n 2 | {}…\n   |   ^^\n", "x".repeat(120)));
        let middle = lines(mark(&long, 150, 2));
        assert_eq!(middle, format!("   |\n 2 | …{}…\n   | {}^^\n", "x".repeat(119), " ".repeat(41)));
        let end = lines(mark(&long, 299, 9));
        assert_eq!(end, format!("   |\n 2 | …{}\n   | {}^^\n", "x".repeat(42), " ".repeat(41)));
    }

    #[test]
    fn carets_never_leave_the_line() {
        assert_eq!(lines(mark("ab", 9, 9)), "   |\n 2 | ab\n   |   ^\n");
        assert_eq!(lines(mark("ab", 1, 9)), "   |\n 2 | ab\n   | ^^\n");
    }

    #[test]
    fn what_may_not_be_shown_is_hidden_with_its_length() {
        let hidden = Mark { visible: Some(10), ..mark("password: hunter2", 11, 7) };
        assert_eq!(lines(hidden), "   |\n 2 | password: •••••\n   |           ^^^^^\n");
    }

    #[test]
    fn a_second_place_is_shown_in_its_order() {
        let first = Mark { number: 1, sign: '-', label: "first here".into(), ..mark("a: 1", 1, 1) };
        let near = excerpt(vec![mark("a: 2", 1, 1), first.clone()], ("", ""));
        assert_eq!(near, "   |\n 1 | a: 1\n   | - first here\n 2 | a: 2\n   | ^\n");
        let far = Mark { number: 10, ..mark("a: 2", 1, 1) };
        let far = excerpt(vec![far, first], ("", ""));
        assert_eq!(far, "    |\n  1 | a: 1\n    | - first here\n...\n 10 | a: 2\n    | ^\n");
    }
}
