//! The words of a key: what stands beside that of a secret says whether it only refers to one, or counts the tokens of a text.

/// Last words with which a name only says where a secret is, or what it is called.
const REFERENCES: [&str; 9] = ["file", "path", "dir", "directory", "folder", "url", "uri", "endpoint", "name"];
/// First words with which a name is a sum over a secret: `checksum/secret`.
const SUMS: [&str; 1] = ["checksum"];
/// Words that count what stands behind them, however far.
const COUNTS: [&str; 5] = ["max", "min", "num", "total", "n"];
/// Words right before `token` with which it is a piece of text.
const MARKS: [&str; 12] = ["eos", "bos", "pad", "unk", "stop", "sep", "cls", "mask", "per", "max", "min", "num"];
/// Words right before `tokens` with which they are pieces of text.
const TEXTS: [&str; 21] = [
    "new",
    "input",
    "output",
    "batch",
    "batched",
    "prefill",
    "decode",
    "speculative",
    "draft",
    "special",
    "added",
    "extra",
    "completion",
    "prompt",
    "context",
    "generated",
    "reasoning",
    "thinking",
    "cached",
    "image",
    "audio",
];
/// Words right behind `token` or `tokens` with which it is no secret itself.
const BEHIND: [&str; 9] = ["id", "ids", "limit", "limits", "count", "counts", "budget", "number", "per"];

/// A word of a key.
struct Word {
    /// Where it begins and ends among the letters and digits of the key.
    start: usize,
    end: usize,
    /// Whether a sign, or the end, stands behind it.
    ends: bool,
    /// Whether a word before it, in its element of the path, counts.
    counted: bool,
    /// Which element of a path it belongs to.
    element: usize,
}

/// The words of a key, or of a path of keys.
pub(super) struct Words {
    /// Letters and digits alone, in lower case.
    plain: String,
    all: Vec<Word>,
    /// The first and the last word of each element of the path.
    elements: Vec<(usize, usize)>,
}

impl Words {
    /// Takes a key apart: at signs and where a capital letter begins a word.
    pub fn of(key: &str) -> Words {
        let mut words = Words { plain: String::with_capacity(key.len()), all: Vec::new(), elements: Vec::new() };
        let bytes = key.as_bytes();
        let byte = |at: usize| bytes.get(at).copied().unwrap_or(b' ');
        let (mut is_inside, mut same_element) = (false, false);
        for (at, own) in bytes.iter().copied().enumerate() {
            if !own.is_ascii_alphanumeric() {
                is_inside = false;
                // A path ends its elements at a `.` or `[`, and free text at a blank.
                same_element &= matches!(own, b'-' | b'_' | b'/');
                continue;
            }
            let before = at.checked_sub(1).map_or(b' ', byte);
            // `tokenID`, `HFToken`, but `tokenIDs`.
            let is_plural = byte(at + 1) == b's' && !byte(at + 2).is_ascii_lowercase();
            let begins = own.is_ascii_uppercase()
                && (!before.is_ascii_uppercase() || byte(at + 1).is_ascii_lowercase() && !is_plural);
            if !is_inside || begins {
                words.begin(same_element);
            }
            (is_inside, same_element) = (true, true);
            words.plain.push(char::from(own.to_ascii_lowercase()));
            if let Some(word) = words.all.last_mut() {
                (word.end, word.ends) = (words.plain.len(), !byte(at + 1).is_ascii_alphanumeric());
            }
        }
        words
    }

    /// Begins a word, in the element of the word before it or in one of its own.
    fn begin(&mut self, same_element: bool) {
        let (at, index) = (self.plain.len(), self.all.len());
        let last = index.checked_sub(1).filter(|_| same_element);
        let counted = last.is_some_and(|last| self.all[last].counted || COUNTS.contains(&self.text(last)));
        match self.elements.last_mut() {
            Some((_, last)) if same_element => *last = index,
            _ => self.elements.push((index, index)),
        }
        self.all.push(Word { start: at, end: at, ends: false, counted, element: self.elements.len() - 1 });
    }

    fn text(&self, index: usize) -> &str {
        self.all.get(index).and_then(|word| self.plain.get(word.start..word.end)).unwrap_or_default()
    }

    /// The first and the last word of the element that a word belongs to.
    fn element(&self, index: usize) -> (usize, usize) {
        self.all.get(index).and_then(|word| self.elements.get(word.element)).copied().unwrap_or((index, index))
    }

    /// The words right before and right behind one, in the same element.
    fn beside(&self, index: usize) -> (&str, &str) {
        let (first, last) = self.element(index);
        let before = if index > first { self.text(index - 1) } else { "" };
        (before, if index < last { self.text(index + 1) } else { "" })
    }

    /// Whether an element ends with one of these words.
    pub fn any_last(&self, words: &[&str]) -> bool {
        self.elements.iter().any(|(_, last)| words.contains(&self.text(*last)))
    }

    /// Whether a word is the short form of `password`: `dbPass` and `DB_PASS`, but no `bypass` and no `pass-through`.
    pub fn any_pass(&self) -> bool {
        let is_pass = |(index, word): (usize, &Word)| {
            let text = self.text(index);
            let (before, behind) = self.beside(index);
            let is_other =
                text.ends_with("bypass") || text.ends_with("compass") || before == "by" || behind == "through";
            word.ends && text.ends_with("pass") && !is_other && !self.refers(index, word.end)
        };
        self.all.iter().enumerate().any(is_pass)
    }

    /// Whether a part of the key that sounds like a secret is none, by the words beside it: it begins at a byte of
    /// [`Words::plain`].
    pub fn is_harmless(&self, at: usize, part: &str) -> bool {
        let end = at + part.len();
        let index = self.all.partition_point(|word| word.end < end);
        self.refers(index, end) || part == "token" && self.is_of_a_text(index)
    }

    /// Whether the name of a secret, which ends at a byte within a word, goes on with what only refers to one.
    fn refers(&self, index: usize, end: usize) -> bool {
        let (first, last) = self.element(index);
        let of_last = if index < last {
            self.text(last)
        } else {
            self.all.get(last).and_then(|word| self.plain.get(end..word.end)).unwrap_or_default()
        };
        REFERENCES.contains(&of_last.strip_suffix('s').unwrap_or(of_last)) || SUMS.contains(&self.text(first))
    }

    /// Whether a token is a piece of text that a model reads or writes.
    fn is_of_a_text(&self, index: usize) -> bool {
        let text = self.text(index);
        let (before, behind) = self.beside(index);
        let several =
            text == "tokens" && (TEXTS.contains(&before) || self.all.get(index).is_some_and(|word| word.counted));
        let is_word = text == "token" || text == "tokens";
        several || is_word && (MARKS.contains(&before) || BEHIND.contains(&behind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(key: &str) -> Vec<Vec<String>> {
        let words = Words::of(key);
        let element = |(first, last): &(usize, usize)| (*first..=*last).map(|at| words.text(at).to_owned()).collect();
        words.elements.iter().map(element).collect()
    }

    #[test]
    fn a_word_ends_at_a_sign_and_where_a_capital_letter_begins_another() {
        for (key, want) in [
            ("--max-num_batched/Tokens", &[&["max", "num", "batched", "tokens"][..]][..]),
            ("eosTokenID", &[&["eos", "token", "id"]]),
            ("stopTokenIDs", &[&["stop", "token", "ids"]]),
            ("HFToken2Path", &[&["hf", "token2", "path"]]),
            ("a.dbPass[0].b c", &[&["a"], &["db", "pass"], &["0"], &["b"], &["c"]]),
            ("é-ü", &[]),
        ] {
            assert_eq!(words(key), want, "{key}");
        }
    }
}
