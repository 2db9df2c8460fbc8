//! Private keys in their armour: `-----BEGIN PRIVATE KEY-----` and what stands below.

/// Begins and ends the first line of a key, with what it is in between.
const ARMOUR: (&str, &str) = ("-----BEGIN ", "-----");
/// Begins the line below a key.
const LAST_LINE: &str = "-----END";
/// The most bytes of what a key is: `ENCRYPTED PRIVATE KEY`.
const LONGEST_LABEL: usize = 40;
/// The fewest characters of a key that is cut off: fewer may be words.
const SHORTEST_BODY: usize = 16;

/// Whether a text may hold a key, or a part of one.
pub(super) fn may_hold(text: &str) -> bool {
    text.contains(ARMOUR.0)
}

/// What stands behind the first line of a private key that a text holds.
fn begun(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(ARMOUR.0)?;
    let (label, body) = rest.split_once(ARMOUR.1)?;
    (label.len() <= LONGEST_LABEL && label.contains("PRIVATE KEY")).then_some(body)
}

/// The private keys of a text. It may begin a thousand and end none: what ends them is looked for once.
pub(super) struct Keys<'a> {
    text: &'a str,
    last_line: Next<'a>,
    other_sign: Next<'a>,
}

impl<'a> Keys<'a> {
    /// Takes a text that may hold some.
    pub fn of(text: &'a str) -> Keys<'a> {
        let last_line = Next { text, find: |text| text.find(LAST_LINE), known: None };
        let other_sign = Next { text, find: |text| text.find(|c| !is_body_sign(c)), known: None };
        Keys { text, last_line, other_sign }
    }

    /// Where the first body of a key is that stands in the text with its first line, from a place on: each time from one behind
    /// that of the time before.
    pub fn next(&mut self, from: usize) -> Option<(usize, usize)> {
        let text = self.text;
        text.get(from..)?.match_indices(ARMOUR.0).find_map(|(at, _)| {
            let body = without_breaks(begun(text.get(from + at..)?)?);
            let start = text.len() - body.len();
            let last_line = self.last_line.from(start);
            let other_sign = self.other_sign.from(start).unwrap_or(text.len());
            let length = match last_line.filter(|end| other_sign >= *end) {
                Some(end) => text.get(start..end)?.trim_end().len(),
                None => {
                    let first = body.find(|c| !is_sign(c)).unwrap_or(body.len());
                    let cut_off = |c: char| !(is_sign(c) || c.is_ascii_whitespace() || c == '\\');
                    if first < SHORTEST_BODY { 0 } else { body.find(cut_off).unwrap_or(body.len()) }
                }
            };
            (length > 0).then_some((start, start + length))
        })
    }
}

/// The next of something in a text, looked for from places each behind the one before.
struct Next<'a> {
    text: &'a str,
    find: fn(&str) -> Option<usize>,
    /// What was found last; none before the first look.
    known: Option<Option<usize>>,
}

impl Next<'_> {
    fn from(&mut self, at: usize) -> Option<usize> {
        match self.known {
            Some(found) if found.is_none_or(|found| found >= at) => found,
            _ => {
                let found = (self.find)(self.text.get(at..).unwrap_or_default()).map(|found| at + found);
                *self.known.insert(found)
            }
        }
    }
}

/// A character that a key may have, with the lines above it that say how it is encrypted.
fn is_body_sign(c: char) -> bool {
    is_sign(c) || c.is_ascii_whitespace() || matches!(c, '\\' | ':' | ',' | '-')
}

/// A character of Base64.
fn is_sign(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')
}

/// A text without the line breaks at its beginning, also those written as `\n`.
fn without_breaks(mut text: &str) -> &str {
    loop {
        let rest = text.trim_start();
        let rest = rest.strip_prefix("\\n").or_else(|| rest.strip_prefix("\\r")).unwrap_or(rest);
        if rest.len() == text.len() {
            return rest;
        }
        text = rest;
    }
}

/// Which lines of a text are the body of a private key.
pub(super) fn bodies(lines: &[&str]) -> Vec<bool> {
    let mut inside = false;
    let line = |line: &&str| {
        let is_own = inside && is_body(line);
        inside = match begun(line) {
            Some(behind) => !behind.contains(LAST_LINE),
            None => is_own || inside && line.trim().is_empty(),
        };
        is_own && !line.trim().is_empty()
    };
    lines.iter().map(line).collect()
}

/// Whether a line has the form of a private key's body, as far as a quote, a comment or a list may hold it.
pub(super) fn is_body(line: &str) -> bool {
    let body = line.trim_matches(|c: char| c.is_whitespace() || "\"'`\\,|>#-".contains(c));
    body.chars().all(is_sign) || ["Proc-Type:", "DEK-Info:"].iter().any(|name| body.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::super::HIDDEN;
    use super::super::address::without_passwords;
    use super::*;

    #[test]
    fn the_body_of_a_private_key_is_hidden() {
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQ\nEFAASCBKcwggSjAgEAAoIBAQC7";
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY"] {
            let (first, last) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
            for text in [
                format!("{first}\n{body}\n{last}\nmore: 1"),
                format!("{first}\\n{}\\n{last}\nmore: 1", body.replace('\n', "\\n")),
                format!("{first}\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A1B\n\n{body}\n{last}\nmore: 1"),
            ] {
                let shown = without_passwords(&text);
                assert!(shown.starts_with(&first) && shown.ends_with(&format!("{last}\nmore: 1")), "{shown}");
                assert!(shown.contains(HIDDEN) && !shown.contains("MII") && !shown.contains("EFAA"), "{shown}");
                assert_eq!(without_passwords(&shown), shown);
            }
            let cut_off = format!("cannot read {first} {}… of it", body.replace('\n', " "));
            assert_eq!(without_passwords(&cut_off), format!("cannot read {first} {HIDDEN}… of it"));
        }
    }

    #[test]
    fn the_bodies_of_many_keys_are_hidden_each_by_itself() {
        let begin = "-----BEGIN PRIVATE KEY-----";
        for (text, want) in [
            (
                format!("{begin}\n{begin} MII: {begin} MIIEvQIBADANBgkqhki! b"),
                format!("{begin}\n{begin} MII: {begin} {HIDDEN}! b"),
            ),
            (
                format!(
                    "{begin}\nMIIE\n-----END PRIVATE KEY----- {begin}\nMIIF\n-----END PRIVATE KEY----- {begin} MII!"
                ),
                format!(
                    "{begin}\n{HIDDEN}\n-----END PRIVATE KEY----- {begin}\n{HIDDEN}\n-----END PRIVATE KEY----- {begin} MII!"
                ),
            ),
        ] {
            assert_eq!(without_passwords(&text), want);
        }
    }

    #[test]
    fn only_the_lines_of_a_private_key_are_its_body() {
        let text = "a: |\n  -----BEGIN RSA PRIVATE KEY-----\n  Proc-Type: 4,ENCRYPTED\n\n  MIIE\n  x/+=\n  -----END RSA PRIVATE KEY-----\nb: 1\nMIIE";
        let lines: Vec<&str> = text.split('\n').collect();
        let want = [false, false, true, false, true, true, false, false, false];
        assert_eq!(bodies(&lines), want);
        let cut_off = ["-----BEGIN PRIVATE KEY-----", "MIIE", "b: 1", "MIIE"];
        assert_eq!(bodies(&cut_off), [false, true, false, false]);
        let of_another = ["-----BEGIN CERTIFICATE-----", "MIIE"];
        assert_eq!(bodies(&of_another), [false, false]);
    }
}
