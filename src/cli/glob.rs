//! Patterns of paths as Go's `filepath.Match` reads them, which `helm template --show-only` uses.
//!
//! No crate has this grammar: those for `glob` and `gitignore` patterns know `**`, `[!a]` or `{a,b}` and take `\` otherwise.

/// A pattern that has been read: `*` and `?` stop at `/`, `[a-c]` and `[^a]` are classes, `\` takes the next as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob(Vec<Token>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Star,
    Any,
    Exactly(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Glob {
    /// Reads a pattern; says where one is malformed, as the count of characters before, and what is wrong there.
    pub fn parse(text: &str) -> Result<Glob, (usize, &'static str)> {
        let characters: Vec<char> = text.chars().collect();
        let mut rest = Rest { characters: &characters, next: 0 };
        let mut tokens = Vec::new();
        while let Some(character) = rest.take() {
            tokens.push(match character {
                '*' => Token::Star,
                '?' => Token::Any,
                '\\' => Token::Exactly(rest.escaped()?),
                '[' => rest.class()?,
                other => Token::Exactly(other),
            });
        }
        Ok(Glob(tokens))
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut token, mut at) = (0, 0);
        // The last `*`, and where the text behind it is tried next: none before it needs to give anything back.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            match (self.0.get(token), text.get(at)) {
                (None, None) => return true,
                (Some(Token::Star), _) => {
                    retry = Some((token + 1, at));
                    token += 1;
                }
                (Some(wanted), Some(found)) if wanted.takes(*found) => (token, at) = (token + 1, at + 1),
                _ => match retry {
                    Some((behind, start)) if text.get(start).is_some_and(|skipped| *skipped != '/') => {
                        retry = Some((behind, start + 1));
                        (token, at) = (behind, start + 1);
                    }
                    _ => return false,
                },
            }
        }
    }
}

/// What of a pattern has not been read.
struct Rest<'a> {
    characters: &'a [char],
    next: usize,
}

impl Rest<'_> {
    fn take(&mut self) -> Option<char> {
        let character = self.characters.get(self.next).copied();
        self.next += usize::from(character.is_some());
        character
    }

    fn take_if(&mut self, wanted: char) -> bool {
        let is_next = self.characters.get(self.next) == Some(&wanted);
        self.next += usize::from(is_next);
        is_next
    }

    /// The character behind a `\` that has been read.
    fn escaped(&mut self) -> Result<char, (usize, &'static str)> {
        self.take().ok_or((self.next - 1, "nothing stands behind `\\`"))
    }

    /// A class whose `[` has been read.
    fn class(&mut self) -> Result<Token, (usize, &'static str)> {
        let start = self.next - 1;
        let negated = self.take_if('^');
        let mut ranges = Vec::new();
        while ranges.is_empty() || !self.take_if(']') {
            let low = self.bound(start)?;
            let high = if self.take_if('-') { self.bound(start)? } else { low };
            ranges.push((low, high));
        }
        Ok(Token::Class { negated, ranges })
    }

    /// One end of a range in a class that begins at `start`.
    fn bound(&mut self, start: usize) -> Result<char, (usize, &'static str)> {
        match self.take() {
            None => Err((start, "`[` is not closed by `]`")),
            Some(']') => Err((self.next - 1, "a class must hold a character before `]`")),
            Some('-') => Err((self.next - 1, "`-` stands between two characters of a class")),
            Some('\\') => self.escaped(),
            Some(character) => Ok(character),
        }
    }
}

impl Token {
    fn takes(&self, character: char) -> bool {
        match self {
            Token::Star => false,
            Token::Any => character != '/',
            Token::Exactly(wanted) => *wanted == character,
            Token::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (low..=high).contains(&&character)) != *negated
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_as_in_go() {
        for (glob, path, matched) in [
            ("templates/kserve/*.j2", "templates/kserve/version.yaml.j2", true),
            ("templates/*", "templates/kserve/version.yaml.j2", false),
            ("templates/*/version.yaml", "templates/kserve/version.yaml", true),
            ("templates/kserv?/version.yaml", "templates/kserve/version.yaml", true),
            ("templates?kserve", "templates/kserve", false),
            ("[a-k]serve", "kserve", true),
            ("[^k]serve", "kserve", false),
            ("[^a]serve", "kserve", true),
            (r"a[\]\-]b", "a]b", true),
            (r"a\*b", "a*b", true),
            (r"a\*b", "axb", false),
            ("a*b*c", "a1b2b3c", true),
            ("*a*b", "a/b", false),
            ("*", "", true),
            ("", "a", false),
            ("**", "ab", true),
            ("{a,b}", "a", false),
            ("漢?", "漢字", true),
        ] {
            assert_eq!(Glob::parse(glob).unwrap().matches(path), matched, "{glob}");
        }
    }

    #[test]
    fn a_malformed_pattern_is_told_from_one_without_a_match() {
        for (glob, place) in [
            ("[", 0),
            ("[]", 1),
            ("[]a]", 1),
            ("漢[a", 1),
            ("[-a]", 1),
            ("[a-]", 3),
            ("a\\", 1),
            ("[\\", 1),
            ("x[^]", 3),
            ("x[^-a]", 3),
        ] {
            assert_eq!(Glob::parse(glob).unwrap_err().0, place, "{glob}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let glob = Glob::parse(&"*a".repeat(60)).unwrap();
        assert!(!glob.matches(&format!("{}b", "a".repeat(2000))));
    }
}
