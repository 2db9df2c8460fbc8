//! RE2's expressions, evaluated with `regex-lite` where both mean the same.

use regex_lite::Regex;

use super::refusal;

/// An expression of RE2 that r8 can evaluate.
pub(crate) struct Expression(Regex);

impl Expression {
    /// Takes an expression that has to match a text from its beginning to its end, as Envoy's do in matches.
    ///
    /// None where RE2 refuses it, and where r8 cannot tell what it matches: classes of Unicode (`\pL`), and texts beyond
    /// ASCII that are compared in any case.
    pub fn whole(pattern: &str, text: &str) -> Option<Expression> {
        Expression::new(pattern, text, |inner| format!(r"\A(?:{inner})\z"))
    }

    /// Takes an expression that is looked for in a text, as Envoy's are in rewrites; none as for [`Expression::whole`].
    pub fn part(pattern: &str, text: &str) -> Option<Expression> {
        Expression::new(pattern, text, |inner| inner)
    }

    fn new(pattern: &str, text: &str, frame: impl Fn(String) -> String) -> Option<Expression> {
        if refusal(pattern).is_some() || folds(pattern) && !(pattern.is_ascii() && text.is_ascii()) {
            return None;
        }
        Regex::new(&frame(translated(pattern)?)).ok().map(Expression)
    }

    /// Whether it matches.
    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// The text with every match replaced; `\0` to `\9` stand for groups, `\\` for a backslash, as in RE2.
    pub fn replaced(&self, text: &str, with: &str) -> String {
        let mut out = String::new();
        let mut end = 0;
        for groups in self.0.captures_iter(text) {
            let Some(whole) = groups.get(0) else { continue };
            out.push_str(text.get(end..whole.start()).unwrap_or_default());
            end = whole.end();
            let mut rest = with.chars();
            while let Some(character) = rest.next() {
                match (character, rest.clone().next()) {
                    ('\\', Some(next)) => {
                        rest.next();
                        match next.to_digit(10) {
                            Some(group) => out.push_str(groups.get(group as usize).map_or("", |group| group.as_str())),
                            None => out.push(next),
                        }
                    }
                    _ => out.push(character),
                }
            }
        }
        out.push_str(text.get(end..).unwrap_or_default());
        out
    }
}

/// Whether a group of an expression may set the flag `i`.
fn folds(pattern: &str) -> bool {
    let flags = |rest: &str| rest.chars().take_while(|c| c.is_ascii_alphabetic() || *c == '-').any(|c| c == 'i');
    pattern.split("(?").skip(1).any(flags)
}

/// An expression that RE2 takes, as `regex-lite` writes it; none where it has no word for something.
fn translated(pattern: &str) -> Option<String> {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(character) = rest.chars().next() {
        match character {
            '\\' => rest = escape(rest, &mut out)?,
            '[' => rest = class(rest, &mut out)?,
            '{' => {
                let count = repetition(rest);
                match count {
                    Some(count) => out.push_str(count),
                    None => out.push_str(r"\{"),
                }
                rest = rest.get(count.map_or(1, str::len)..)?;
            }
            _ => {
                // Of these signs the first has a meaning behind another, and the others stand for themselves.
                if matches!(character, '(' | ')' | '|' | '*' | '+' | '?' | '^' | '$' | '.') {
                    out.push(character);
                } else {
                    literal(character, &mut out);
                }
                rest = rest.get(character.len_utf8()..)?;
                if character == '('
                    && let Some(flags) = rest.strip_prefix('?')
                {
                    let end = flags.find([':', ')', '>'])? + 1;
                    out.push('?');
                    out.push_str(flags.get(..end)?);
                    rest = flags.get(end..)?;
                }
            }
        }
    }
    Some(out)
}

/// `{n}`, `{n,}` or `{n,m}` at the beginning of a text; to RE2 any other brace stands for itself.
fn repetition(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('{')?.split_once('}')?.0;
    let number = |text: &str| text == "0" || !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    let (least, most) = inner.split_once(',').unwrap_or((inner, inner));
    (!least.is_empty() && number(least) && number(most)).then(|| text.get(..inner.len() + 2))?
}

fn literal(character: char, out: &mut String) {
    if character.is_ascii_punctuation() {
        out.push_str(&regex_lite::escape(character.encode_utf8(&mut [0; 4])));
    } else {
        out.push(character);
    }
}

/// Translates what begins with `\`, and gives what stands behind it.
fn escape<'a>(text: &'a str, out: &mut String) -> Option<&'a str> {
    let rest = text.strip_prefix('\\')?;
    let letter = rest.chars().next()?;
    let behind = rest.get(letter.len_utf8()..)?;
    match letter {
        'Q' => {
            let (quoted, behind) = behind.split_once(r"\E").unwrap_or((behind, ""));
            quoted.chars().for_each(|character| literal(character, out));
            Some(behind)
        }
        'p' | 'P' => None,
        '0'..='7' => {
            let digits = rest.chars().take(3).take_while(|digit| ('0'..='7').contains(digit)).count();
            let code = u32::from_str_radix(rest.get(..digits)?, 8).ok()?;
            literal_code(code, out)?;
            rest.get(digits..)
        }
        'x' => {
            let (digits, behind) = match behind.strip_prefix('{') {
                Some(braced) => braced.split_once('}')?,
                None => (behind.get(..2)?, behind.get(2..)?),
            };
            literal_code(u32::from_str_radix(digits, 16).ok()?, out)?;
            Some(behind)
        }
        _ if letter.is_ascii_alphanumeric() => {
            out.push('\\');
            out.push(letter);
            Some(behind)
        }
        _ => {
            literal(letter, out);
            Some(behind)
        }
    }
}

fn literal_code(code: u32, out: &mut String) -> Option<()> {
    let character = char::from_u32(code)?;
    out.push_str(&format!(r"\x{{{:x}}}", u32::from(character)));
    Some(())
}

/// Translates a class, whose brackets, ampersands and tildes have no meaning to RE2 inside it.
fn class<'a>(text: &'a str, out: &mut String) -> Option<&'a str> {
    let mut rest = text.strip_prefix('[')?;
    out.push('[');
    if let Some(behind) = rest.strip_prefix('^') {
        out.push('^');
        rest = behind;
    }
    let mut first = true;
    loop {
        let character = rest.chars().next()?;
        let behind = rest.get(character.len_utf8()..)?;
        match character {
            ']' if !first => {
                out.push(']');
                return Some(behind);
            }
            '[' if rest.starts_with("[:") && rest.contains(":]") => {
                let end = rest.find(":]")? + 2;
                out.push_str(rest.get(..end)?);
                rest = rest.get(end..)?;
            }
            '\\' => rest = escape(rest, out)?,
            // The sign of a range, or itself at an end.
            '-' => {
                if first || behind.starts_with(']') {
                    out.push_str(r"\-");
                } else {
                    out.push('-');
                }
                rest = behind;
            }
            _ => {
                literal(character, out);
                rest = behind;
            }
        }
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, text: &str) -> Option<bool> {
        Expression::whole(pattern, text).map(|expression| expression.matches(text))
    }

    #[test]
    fn an_expression_has_to_match_from_the_beginning_to_the_end() {
        assert_eq!(matches("a|ab", "ab"), Some(true));
        assert_eq!(matches("a", "ab"), Some(false));
        assert_eq!(matches("/v[0-9]+/.*", "/v2/models/a/infer"), Some(true));
        assert_eq!(matches("a$|b", "a\n"), Some(false));
    }

    #[test]
    fn what_stands_for_itself_to_re2_does_so_here() {
        for (pattern, text) in [
            ("a{,2}", "a{,2}"),
            ("a{01}{", "a{01}{"),
            ("{a}", "{a}"),
            (r"\Qa*[\Eb", "a*[b"),
            (r"\101\x42\x{43}", "ABC"),
            ("[[a&&~b]+", "[&~ab"),
            ("[]a-]+", "]-a"),
            ("[-a]+", "-a"),
            ("[[:alpha:]-]+", "b-a"),
            (r"[\]\-\x41]+", "]-A"),
            (r"\_\-\.\/", "_-./"),
            ("a]b}c#", "a]b}c#"),
            ("(?i)test", "TeSt"),
            ("(?P<n>a)(?<m>b)(?:c)", "abc"),
            ("é+", "éé"),
        ] {
            assert_eq!(matches(pattern, text), Some(true), "{pattern}");
            assert_eq!(matches(pattern, "no+"), Some(false), "{pattern}");
        }
    }

    #[test]
    fn what_r8_cannot_evaluate_is_no_answer() {
        for pattern in [r"\pL", r"[\p{Greek}]", "(?i)é", "(?=a)", "a**", "("] {
            assert_eq!(matches(pattern, "a"), None, "{pattern}");
        }
    }

    #[test]
    fn groups_stand_in_the_replacement() {
        let replaced =
            |pattern: &str, text: &str, with: &str| Expression::part(pattern, text).unwrap().replaced(text, with);
        assert_eq!(replaced("^/a/([^/]*)/(.*)$", "/a/b/c", r"/\2/\1$1\\"), r"/c/b$1\");
        assert_eq!(replaced("/", "/a/b", "-"), "-a-b");
        assert_eq!(replaced("x", "/a", "-"), "/a");
    }

    proptest! {
        #[test]
        fn no_expression_makes_it_panic(
            pattern in ".*|(\\[|\\]|\\(|\\)|\\{|\\}|\\\\|\\?|[a-z0-9]|,|:|-|\\^|\\$|\\*|Q|E|P|<|>|é)*",
            text in ".*",
        ) {
            if let Some(expression) = Expression::part(&pattern, &text) {
                expression.matches(&text);
                expression.replaced(&text, &pattern);
            }
            Expression::whole(&pattern, &text);
        }
    }
}
