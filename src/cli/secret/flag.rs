//! What stands behind a flag that sounds like a secret: `--password VALUE`, and in a list `["--password", "VALUE"]`.

use super::outline::{Place, place};
use super::{indentation, login, sounds_secret};

/// Quotes around a word.
const QUOTES: [char; 3] = ['"', '\'', '`'];

/// A flag whose value must not be shown.
#[derive(Clone, Copy)]
enum Flag {
    /// Whatever its value is: `--token`.
    Secret,
    /// Where the value is a name with a password: `-u`.
    User,
}

impl Flag {
    fn of(word: &str) -> Option<Flag> {
        if login::FLAGS.contains(&word) {
            return Some(Flag::User);
        }
        (word.starts_with('-') && !word.contains(['=', ':', ' ']) && sounds_secret(word)).then_some(Flag::Secret)
    }

    /// Whether a word may be its value: no other flag, as far as one can be told.
    fn takes(self, word: &str) -> bool {
        match self {
            Flag::Secret => !word.starts_with('-'),
            Flag::User => login::is_login(word),
        }
    }
}

/// Whether an argument is the value of the one before it.
pub(super) fn takes(before: &str, argument: &str) -> bool {
    Flag::of(before).is_some_and(|flag| flag.takes(argument))
}

/// Where in a line the value of the first such flag begins, its quote included, in bytes.
pub(super) fn value(line: &str) -> Option<usize> {
    let mut last: Option<(Flag, usize)> = None;
    for (start, end) in words(line) {
        let word = line.get(start..end).unwrap_or_default();
        if let Some((flag, before)) = last {
            let gap = line.get(before..start).unwrap_or_default();
            let is_comment = word.starts_with('#') && gap.ends_with(char::is_whitespace);
            if separates(gap) && flag.takes(word) && !is_comment {
                return Some(before + gap.trim_end_matches(QUOTES).len());
            }
        }
        last = Flag::of(word).map(|flag| (flag, end));
    }
    None
}

/// How many characters of a line stand before the text that holds a hidden value, of which `count` stand before the value: a
/// message quotes the text as a whole. An item of a list is a text of its own.
pub(super) fn before_text(line: &str, count: usize) -> usize {
    let before: String = line.chars().take(count).collect();
    if before.contains(['[', '{']) && before.trim_end().ends_with(',') {
        return count;
    }
    let start = match place(line) {
        Some(Place { at, key: Some(key), value, .. }) => at + key.len() + 1 + (value.len() - value.trim_start().len()),
        _ => line.len() - item(line.trim_start()).len(),
    };
    line.get(..start).map_or(count, |before| before.chars().count().min(count))
}

/// Where the words of a line are: what stands between blanks, quotes, commas and brackets.
fn words(line: &str) -> impl Iterator<Item = (usize, usize)> {
    let is_gap = |c: char| c.is_whitespace() || QUOTES.contains(&c) || ",[]{}()\\".contains(c);
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = line.get(at..)?;
        let start = at + rest.find(|c| !is_gap(c))?;
        let rest = line.get(start..)?;
        at = start + rest.find(is_gap).unwrap_or(rest.len());
        Some((start, at))
    })
}

/// Whether what stands behind a flag leads to its value: a list goes on, or a command. Behind `'--password' found` a sentence
/// goes on.
fn separates(gap: &str) -> bool {
    let closes = gap.contains([']', '}', ')']);
    let is_quoted = gap.starts_with(QUOTES) || gap.starts_with('\\');
    !closes && (gap.contains(',') || !is_quoted || gap.len() > 1 && gap.ends_with(QUOTES))
}

/// A flag at the end of a line.
struct Open {
    flag: Flag,
    /// Whether a comma stands behind it.
    goes_on: bool,
}

impl Open {
    fn of(line: &str) -> Option<Open> {
        let line = line.find(" #").and_then(|comment| line.get(..comment)).unwrap_or(line);
        let behind = line.trim_end();
        let word = behind.trim_end_matches([',', '"', '\'', ' ']);
        let start = word.rfind(|c: char| c.is_whitespace() || QUOTES.contains(&c) || ",[{(".contains(c));
        let word = word.get(start.map_or(0, |start| start + 1)..)?;
        Flag::of(word).map(|flag| Open { flag, goes_on: behind.ends_with(',') })
    }

    /// Whether a line holds the value: an item of the list, the rest of a list in brackets, or what is no YAML.
    fn takes(&self, line: &str) -> bool {
        let text = line.trim_start();
        let is_item = text == "-" || text.starts_with("- ");
        let value = item(text).trim_start_matches(QUOTES);
        let value = value.split(QUOTES).next().unwrap_or_default().trim_end();
        let has_key = place(line).is_some_and(|place| place.key.is_some());
        (self.goes_on || is_item || !has_key) && self.flag.takes(value)
    }
}

/// The value of an item of a list, or a text that is none.
fn item(text: &str) -> &str {
    let mut rest = text;
    while let Some(inner) = rest.strip_prefix("- ") {
        rest = inner.trim_start();
    }
    rest
}

/// How many characters may be shown of each line of a text, by the flags in it and above it.
pub(super) fn visible(lines: &[&str]) -> Vec<Option<usize>> {
    let mut open: Option<Open> = None;
    // The column of the line whose value goes on, and the quote that ends it.
    let mut inside: Option<(usize, Option<char>)> = None;
    let line = |line: &&str| {
        let text = line.trim_start();
        let column = line.len() - text.len();
        if text.is_empty() {
            return None;
        }
        if let Some((above, quote)) = inside {
            let is_quoted = quote.is_some();
            if column > above || is_quoted && place(line).is_none_or(|place| place.key.is_none()) {
                inside = inside.filter(|_| !quote.is_some_and(|quote| line.contains(quote)));
                return Some(indentation(line));
            }
            inside = None;
        }
        if text.starts_with('#') {
            return None;
        }
        let before = open.take();
        let start = match value(line) {
            _ if before.is_some_and(|before| before.takes(line)) => Some(line.len() - item(text).len()),
            start => start,
        };
        open = Open::of(line);
        let start = start?;
        let hidden = line.get(start..).unwrap_or_default();
        let quote = hidden.chars().next().filter(|first| QUOTES.contains(first));
        let is_open = quote.is_some_and(|quote| hidden.matches(quote).count() == 1);
        let is_item = text.starts_with('-') && item(text).len() == hidden.len();
        if is_open || is_item {
            inside = Some((column, quote.filter(|_| is_open)));
        }
        Some(line.get(..start).unwrap_or_default().chars().count())
    };
    lines.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::shown_lines;

    #[test]
    fn the_value_behind_a_flag_is_hidden() {
        for (text, want) in [
            ("args: [\"--password\", \"LEAK\"]", "args: [\"--password\", •••••"),
            ("command: [mysql, --password, LEAK, x]", "command: [mysql, --password, •••••"),
            ("image: [\"--token\",\"LEAK\"]", "image: [\"--token\",•••••"),
            ("application.versions[0].image={--token,LEAK}", "application.versions[0].image={--token,•••••"),
            ("- mysql --password LEAK -v", "- •••••"),
            ("port: a --password LEAK", "port: •••••"),
            ("port: \"a, --password, LEAK\"", "port: •••••"),
            ("- 'mysql --password \"LEAK\"'", "- •••••"),
            ("args: [-u, ann:LEAK]", "args: [-u, •••••"),
            ("args: [\"--ssh-key\", 'LEAK']", "args: [\"--ssh-key\", •••••"),
            ("args:\n- --password\n- \"LEAK", "args:\n- --password\n- •••••"),
            ("args:\n- \"--password\"\n\n# hers\n- LEAK # b\n- b", "args:\n- \"--password\"\n\n# hers\n- •••••\n- b"),
            (
                "args:\n  - --password\n  - |\n    LEAK\n    LEAK\n  - b",
                "args:\n  - --password\n  - •••••\n    •••••\n    •••••\n  - b",
            ),
            ("args: [\"--password\",\n  \"LEAK\", b]\nc: d", "args: [\"--password\",\n  •••••\nc: d"),
            ("args: [\"--password\", \"LE\n  AK\", b]\nc: d", "args: [\"--password\", •••••\n  •••••\nc: d"),
            ("args:\n- --password\n- \"LEAK\n  LEAK\nb: 1", "args:\n- --password\n- •••••\n  •••••\nb: 1"),
            ("args:\n- --user\n- ann:LEAK", "args:\n- --user\n- •••••"),
        ] {
            assert_eq!(shown_lines(text), want);
        }
    }

    #[test]
    fn what_stands_behind_another_flag_is_shown() {
        for text in [
            "args: [\"--max-tokens\", \"5\"]",
            "args: [--token-file, /etc/token]",
            "args: [--num-speculative-tokens, 5, --eos-token-id, 2]",
            "args: [--enable-token-auth, --port, 80]",
            "args: [a, --password]",
            "args: [-u, 1000:1000]",
            "args: [--user, ann]",
            "args: [--password], image: b",
            "unexpected argument '--password' found",
            "args:\n- --password\n- --port\n- 80",
            "args:\n- a\n- --password\nimage: b",
            "args:\n- --password-file\n- /etc/password",
        ] {
            assert_eq!(shown_lines(text), text);
        }
    }
}
