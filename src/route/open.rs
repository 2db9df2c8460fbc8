//! The open text, taken apart.

use super::RouteError;

/// The deepest nesting of gates.
const MAX_GATES: usize = 100;

/// A part of an open text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    /// A text, and the line of the open text in which it begins.
    Text(String, usize),
    Weight(usize),
    /// Goes on at the part after the end unless one of the versions has a weight above 0.
    Gate(Vec<usize>, usize),
}

/// Splits the open text into literal texts and actions, with Go's trimming of blanks beside `{{-` and `-}}`.
pub(super) fn parse(open: &str, versions: usize) -> Result<Vec<Part>, RouteError> {
    let (mut parts, mut gates): (Vec<Part>, Vec<(usize, usize)>) = (Vec::new(), Vec::new());
    let (mut rest, mut line, mut trim) = (open, 1, false);
    while let Some(start) = rest.find("{{") {
        let (literal, from) = rest.split_at(start);
        let begin = line + trimmed_lines(literal, trim);
        line += literal.matches('\n').count();
        let Some(length) = from.find("}}") else {
            return Err(RouteError::Action { line, action: from.chars().take(60).collect() });
        };
        let (action, after) = from.split_at(length + 2);
        let inner = action.trim_start_matches("{{").trim_end_matches("}}");
        let before = inner.starts_with("- ");
        let behind = inner.ends_with(" -");
        let words =
            inner.trim_start_matches("- ").trim_end_matches(" -").split_whitespace().collect::<Vec<_>>().join(" ");
        let literal = if trim { literal.trim_start() } else { literal };
        parts.push(Part::Text(if before { literal.trim_end() } else { literal }.to_owned(), begin));
        let Some(found) = Action::parse(&words) else {
            return Err(RouteError::Action { line, action: words });
        };
        let known = |index: usize| -> Result<usize, RouteError> {
            if index >= versions {
                return Err(RouteError::Index { line, index, last: versions.saturating_sub(1) });
            }
            Ok(index)
        };
        match found {
            Action::Weight(index) => parts.push(Part::Weight(known(index)?)),
            Action::End => {
                let (gate, _) = gates.pop().ok_or(RouteError::Unbalanced { line })?;
                let end = parts.len();
                if let Some(Part::Gate(_, target)) = parts.get_mut(gate) {
                    *target = end;
                }
            }
            Action::If(tests) => {
                if gates.len() >= MAX_GATES {
                    return Err(RouteError::Unbalanced { line });
                }
                let tests = tests.into_iter().map(known).collect::<Result<_, _>>()?;
                gates.push((parts.len(), line));
                parts.push(Part::Gate(tests, usize::MAX));
            }
        }
        line += action.matches('\n').count();
        trim = behind;
        rest = after;
    }
    let begin = line + trimmed_lines(rest, trim);
    parts.push(Part::Text(if trim { rest.trim_start() } else { rest }.to_owned(), begin));
    match gates.last() {
        Some((_, line)) => Err(RouteError::Unbalanced { line: *line }),
        None => Ok(parts),
    }
}

/// The lines that are trimmed from the beginning of a text.
fn trimmed_lines(text: &str, trim: bool) -> usize {
    let kept = if trim { text.trim_start() } else { text };
    text.matches('\n').count() - kept.matches('\n').count()
}

/// What stands between `{{` and `}}`.
enum Action {
    Weight(usize),
    If(Vec<usize>),
    End,
}

impl Action {
    /// Reads one of the three actions; its words are joined by single blanks.
    fn parse(words: &str) -> Option<Action> {
        if words == "end" {
            return Some(Action::End);
        }
        if let Some(index) = words.strip_prefix("index .Weights ") {
            return number(index).map(Action::Weight);
        }
        let tests = words.strip_prefix("if ")?;
        let tests = match tests.strip_prefix("or ") {
            Some(many) => many.strip_prefix('(')?.strip_suffix(')')?.split(") (").collect(),
            None => vec![tests],
        };
        let index = |test: &str| number(test.strip_prefix("gt (index .Weights ")?.strip_suffix(") 0")?);
        tests.into_iter().map(index).collect::<Option<_>>().map(Action::If)
    }
}

/// An index of at most nine digits.
fn number(text: &str) -> Option<usize> {
    let digits = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_three_actions_of_a_routemap_are_read() {
        let known = [
            "end",
            "index .Weights 7",
            "if gt (index .Weights 0) 0",
            "if or (gt (index .Weights 0) 0) (gt (index .Weights 1) 0)",
        ];
        for words in known {
            assert!(Action::parse(words).is_some(), "{words}");
        }
        for words in [
            "else",
            "if",
            "if true",
            "if (index .Weights 0) 0",
            "if or",
            "if or gt (index .Weights 0) 0",
            "if or ()",
            "if gt (index .Weights 0) 1",
            "if gt (index .Weights -1) 0",
            "index .Weights",
            "index .Weights 1234567890",
            "index .Weights +1",
            "if or (gt (index .Weights 0) 0) (index .Weights 1) 0)",
            "if gt (index .Weights 0) 0) (gt (index .Weights 1) 0",
        ] {
            assert!(Action::parse(words).is_none(), "{words}");
        }
    }
}
