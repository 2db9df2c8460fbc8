//! Which keys the lines of a text lie below, by their indentation.

use std::cell::OnceCell;

use super::{has_explicit_secret, sounds_secret};

/// Where the first character of a line is, and where its key is behind `- `, in bytes; and the key.
pub(super) struct Place<'a> {
    pub first: usize,
    pub at: usize,
    pub key: Option<&'a str>,
    pub value: &'a str,
}

pub(super) fn place(line: &str) -> Option<Place<'_>> {
    let first = line.len() - line.trim_start().len();
    let mut rest = line.get(first..)?;
    if rest.is_empty() || rest.starts_with('#') {
        return None;
    }
    while let Some(inner) = rest.strip_prefix("- ") {
        rest = inner.trim_start();
    }
    let at = line.len() - rest.len();
    if let Some(key) = rest.strip_prefix("? ") {
        return Some(Place { first, at, key: Some(key), value: "" });
    }
    let colon = rest.find(": ").or_else(|| rest.trim_end().strip_suffix(':').map(str::len));
    let value = colon.and_then(|colon| rest.get(colon + 1..)).unwrap_or_default();
    Some(Place { first, at, key: colon.and_then(|colon| rest.get(..colon)), value })
}

/// The keys of a text, each below another one, found in one pass.
pub(super) struct Outline<'a> {
    lines: Vec<&'a str>,
    keys: Vec<Key<'a>>,
    /// For each line, the place of the key that it lies below.
    above: Vec<Option<usize>>,
    /// For each line, how many keys stand before it.
    before: Vec<usize>,
}

struct Key<'a> {
    line: usize,
    at: usize,
    key: &'a str,
    above: Option<usize>,
    /// Whether it sounds like a secret.
    own: OnceCell<bool>,
    /// Whether it or a key above it sounds like a secret.
    secret: OnceCell<bool>,
}

impl Key<'_> {
    fn sounds_secret(&self) -> bool {
        *self.own.get_or_init(|| sounds_secret(self.key))
    }
}

impl<'a> Outline<'a> {
    pub fn of(lines: &[&'a str]) -> Outline<'a> {
        let (mut keys, mut above): (Vec<Key<'a>>, _) = (Vec::new(), Vec::with_capacity(lines.len()));
        // Those that a later line can lie below, each further to the right than the one before.
        let mut open: Vec<usize> = Vec::new();
        let mut before = Vec::with_capacity(lines.len());
        for (number, line) in lines.iter().enumerate() {
            before.push(keys.len());
            let first = line.len() - line.trim_start().len();
            let left_of = |keys: &[Key<'a>], open: &[usize], limit: usize| {
                open.iter().rev().copied().find(|key| keys.get(*key).is_some_and(|key| key.at < limit))
            };
            // The items of a list may stand in the column of their key.
            above.push(left_of(&keys, &open, first + usize::from(line.trim_start().starts_with('-'))));
            let Some(Place { first, at, key: Some(key), .. }) = place(line) else { continue };
            let own = left_of(&keys, &open, if first < at { first + 1 } else { at });
            while open.last().and_then(|last| keys.get(*last)).is_some_and(|last| last.at >= at) {
                open.pop();
            }
            open.push(keys.len());
            keys.push(Key { line: number, at, key, above: own, own: OnceCell::new(), secret: OnceCell::new() });
        }
        Outline { lines: lines.to_vec(), keys, above, before }
    }

    /// Whether a line without a key follows a key that sounds like a secret, however it is indented: where the text is no YAML,
    /// the indentation says nothing.
    pub fn is_behind_secret(&self, line: usize) -> bool {
        let own = self.lines.get(line).and_then(|line| place(line)).and_then(|place| place.key);
        let before = self.before.get(line).and_then(|count| self.keys.get(count.checked_sub(1)?));
        own.is_none() && before.is_some_and(Key::sounds_secret)
    }

    /// Whether a line belongs to the value of a key, further up, that sounds like a secret.
    pub fn is_below_secret(&self, line: usize) -> bool {
        let mut next = self.above.get(line).copied().flatten();
        let (mut passed, mut secret) = (Vec::new(), false);
        while let Some(key) = next.and_then(|next| self.keys.get(next)) {
            if let Some(known) = key.secret.get() {
                secret = *known;
                break;
            }
            passed.push(key);
            if key.sounds_secret() || key.key.is_empty() && has_explicit_secret(&self.lines, key.line) {
                secret = true;
                break;
            }
            next = key.above;
        }
        for key in passed {
            let _ = key.secret.set(secret);
        }
        secret
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same by a look at all lines above, from the last to the first.
    fn is_below_secret(lines: &[&str], index: usize) -> bool {
        let line = lines[index];
        let mut limit = line.len() - line.trim_start().len() + usize::from(line.trim_start().starts_with('-'));
        for line in lines[..index].iter().rev() {
            let Some(Place { first, at, key: Some(key), .. }) = place(line).filter(|place| place.at < limit) else {
                continue;
            };
            if sounds_secret(key) {
                return true;
            }
            limit = if first < at { first + 1 } else { at };
        }
        false
    }

    proptest! {
        #[test]
        fn one_pass_finds_what_a_look_upwards_finds(text in "( {0,4}(- ){0,2}(a:|token:|b: 1|c|#token:|)\n){0,12}") {
            let lines: Vec<&str> = text.split('\n').collect();
            let outline = Outline::of(&lines);
            for index in 0..lines.len() {
                prop_assert_eq!(outline.is_below_secret(index), is_below_secret(&lines, index), "line {}", index);
            }
        }
    }
}
