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
    /// Reads a pattern; says what is wrong with one that is malformed.
    pub fn parse(text: &str) -> Result<Glob, &'static str> {
        let mut tokens = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(character) = rest.next() {
            tokens.push(match character {
                '*' => Token::Star,
                '?' => Token::Any,
                '\\' => Token::Exactly(rest.next().ok_or("nothing stands behind `\\`")?),
                '[' => {
                    let negated = rest.next_if_eq(&'^').is_some();
                    let mut ranges = Vec::new();
                    while ranges.is_empty() || rest.next_if_eq(&']').is_none() {
                        let low = bound(rest.next(), &mut rest)?;
                        let high = match rest.next_if_eq(&'-') {
                            Some(_) => bound(rest.next(), &mut rest)?,
                            None => low,
                        };
                        ranges.push((low, high));
                    }
                    Token::Class { negated, ranges }
                }
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

/// One end of a range in a class.
fn bound(character: Option<char>, rest: &mut impl Iterator<Item = char>) -> Result<char, &'static str> {
    match character {
        None => Err("`[` is not closed by `]`"),
        Some(']') => Err("a class must hold a character before `]`"),
        Some('-') => Err("`-` stands between two characters of a class"),
        Some('\\') => rest.next().ok_or("nothing stands behind `\\`"),
        Some(character) => Ok(character),
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
        for glob in ["[", "[]", "[]a]", "[a", "[-a]", "[a-]", "a\\", "[\\", "x[^]"] {
            assert!(Glob::parse(glob).is_err(), "{glob}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let glob = Glob::parse(&"*a".repeat(60)).unwrap();
        assert!(!glob.matches(&format!("{}b", "a".repeat(2000))));
    }
}
