//! What RE2, the regular expressions of Envoy and of Go, surely refuses.
//!
//! No crate judges this: `regex-lite` refuses what RE2 takes (`\pL`, `\Q…\E`, octal escapes) and takes what RE2 refuses
//! (`a**`, repetitions above 1000). So the constructs that RE2 lacks are looked for one by one, and what is not known
//! to be refused passes.

use std::iter::Peekable;
use std::str::Chars;

/// The largest count of a repetition.
const MAX_REPEAT: u32 = 1000;
/// Letters with a meaning behind `\`.
const LETTERS: &str = "AbBCzQEdDsSwWpPaftnrvx";

/// Says why RE2 refuses an expression; none when it takes it, or may.
pub(super) fn refusal(pattern: &str) -> Option<String> {
    let mut scan = Scan { rest: pattern.chars().peekable(), open: 0, atom: false, repeated: false };
    scan.run().err()
}

struct Scan<'a> {
    rest: Peekable<Chars<'a>>,
    /// Groups that are not closed.
    open: usize,
    /// Whether something stands before that can be repeated.
    atom: bool,
    /// Whether the last thing was a repetition.
    repeated: bool,
}

impl Scan<'_> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(character) = self.rest.next() {
            match character {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.group()?,
                ')' if self.open == 0 => return Err("`)` closes nothing".into()),
                ')' => {
                    self.open -= 1;
                    self.put_atom();
                }
                '|' => (self.atom, self.repeated) = (false, false),
                '*' | '+' | '?' => self.repetition(&character.to_string())?,
                '{' => self.count()?,
                _ => self.put_atom(),
            }
        }
        if self.open > 0 { Err("`(` is not closed".into()) } else { Ok(()) }
    }

    fn put_atom(&mut self) {
        (self.atom, self.repeated) = (true, false);
    }

    fn escape(&mut self) -> Result<(), String> {
        let Some(character) = self.rest.next() else { return Err("`\\` stands at the end".into()) };
        match character {
            'Q' => {
                // Literal text up to `\E`; an empty one is no atom.
                while let Some(character) = self.rest.next() {
                    if character == '\\' && self.rest.next_if_eq(&'E').is_some() {
                        return Ok(());
                    }
                    self.put_atom();
                }
                return Ok(());
            }
            '1'..='9' if character > '7' || !self.rest.peek().is_some_and(|next| ('0'..='7').contains(next)) => {
                return Err(format!("it has no references to groups: `\\{character}`"));
            }
            'x' => self.hexadecimal()?,
            'k' => return Err("it has no references to groups: `\\k`".into()),
            _ if character.is_ascii_alphabetic() && !LETTERS.contains(character) => {
                return Err(format!("it does not know `\\{character}`"));
            }
            _ => {}
        }
        self.put_atom();
        Ok(())
    }

    fn hexadecimal(&mut self) -> Result<(), String> {
        let digits: String = if self.rest.next_if_eq(&'{').is_some() {
            let digits: String = self.rest.by_ref().take_while(|c| *c != '}').collect();
            format!("{digits:0>2}")
        } else {
            self.rest.by_ref().take(2).collect()
        };
        if digits.len() < 2 || u32::from_str_radix(&digits, 16).is_err() {
            return Err("`\\x` needs two hexadecimal digits, or some in braces".into());
        }
        Ok(())
    }

    fn class(&mut self) -> Result<(), String> {
        self.rest.next_if_eq(&'^');
        let mut first = true;
        // The last plain character, which may begin a range.
        let mut low: Option<char> = None;
        loop {
            match self.rest.next() {
                None => return Err("`[` is not closed".into()),
                Some(']') if !first => break,
                Some('[') if self.is_named_class() => {
                    while self.rest.next().is_some_and(|c| c != ']') {}
                    low = None;
                }
                Some('\\') => {
                    self.escape()?;
                    low = None;
                }
                Some('-') if low.is_some() => match self.rest.peek() {
                    Some(high) if !matches!(high, ']' | '\\' | '[') => {
                        if low.is_some_and(|low| low > *high) {
                            return Err(format!("the range `{}-{high}` is empty", low.unwrap_or_default()));
                        }
                        self.rest.next();
                        low = None;
                    }
                    _ => low = None,
                },
                Some(character) => low = Some(character),
            }
            first = false;
        }
        self.put_atom();
        Ok(())
    }

    /// Whether `:NAME:]` follows.
    fn is_named_class(&self) -> bool {
        let mut rest = self.rest.clone();
        let mut last = ' ';
        rest.next_if_eq(&':').is_some() && rest.any(|c| std::mem::replace(&mut last, c) == ':' && c == ']')
    }

    fn group(&mut self) -> Result<(), String> {
        if self.rest.next_if_eq(&'?').is_none() {
            self.open += 1;
            (self.atom, self.repeated) = (false, false);
            return Ok(());
        }
        let named = |scan: &mut Self| {
            let name: String = scan.rest.by_ref().take_while(|c| *c != '>').collect();
            if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
                return Err(format!("`{name}` is no name of a group"));
            }
            Ok(())
        };
        match self.rest.next() {
            Some(look @ ('=' | '!')) => return Err(format!("it has no lookaround: `(?{look}`")),
            Some('<') => match self.rest.peek() {
                Some(look @ ('=' | '!')) => return Err(format!("it has no lookaround: `(?<{look}`")),
                _ => named(self)?,
            },
            Some('P') if self.rest.next_if_eq(&'<').is_some() => named(self)?,
            Some('>') => return Err("it has no atomic groups: `(?>`".into()),
            Some(mut flag) => loop {
                match flag {
                    ':' => break,
                    // Flags alone are no group: what stands before them stays what can be repeated.
                    ')' => {
                        self.repeated = false;
                        return Ok(());
                    }
                    'i' | 'm' | 's' | 'U' | '-' => {}
                    _ => return Err(format!("it does not know the group `(?{flag}`")),
                }
                flag = self.rest.next().ok_or("`(` is not closed")?;
            },
            None => return Err("`(` is not closed".into()),
        }
        self.open += 1;
        (self.atom, self.repeated) = (false, false);
        Ok(())
    }

    /// Reads `{n}`, `{n,}` or `{n,m}`; any other text behind `{` is literal.
    fn count(&mut self) -> Result<(), String> {
        let text: String = self.rest.clone().take_while(|c| c.is_ascii_digit() || *c == ',').collect();
        let closed = self.rest.clone().nth(text.len()) == Some('}');
        let (least, most) = text.split_once(',').unwrap_or((&text, &text));
        let number = |text: &str| text == "0" || !text.is_empty() && !text.starts_with('0') && !text.contains(',');
        if !closed || !number(least) || !(number(most) || most.is_empty()) {
            self.put_atom();
            return Ok(());
        }
        let value = |text: &str| text.parse::<u32>().unwrap_or(u32::MAX);
        let most = if most.is_empty() { value(least) } else { value(most) };
        if most > MAX_REPEAT || value(least) > most {
            return Err(format!("`{{{text}}}` is no repetition of up to {MAX_REPEAT} times"));
        }
        self.rest.nth(text.len());
        self.repetition(&format!("{{{text}}}"))
    }

    fn repetition(&mut self, text: &str) -> Result<(), String> {
        if !self.atom {
            return Err(format!("`{text}` repeats nothing"));
        }
        if self.repeated {
            return Err(format!("`{text}` repeats a repetition"));
        }
        self.rest.next_if_eq(&'?');
        self.repeated = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::refusal;

    #[test]
    fn what_re2_lacks_is_refused() {
        for (pattern, why) in [
            ("(?=a)", "it has no lookaround: `(?=`"),
            ("a(?!b)", "it has no lookaround: `(?!`"),
            ("(?<=a)b", "it has no lookaround: `(?<=`"),
            ("(?<!a)b", "it has no lookaround: `(?<!`"),
            (r"(a)\1", r"it has no references to groups: `\1`"),
            (r"(?P<a>b)\k<a>", r"it has no references to groups: `\k`"),
            ("(?>a)", "it has no atomic groups: `(?>`"),
            ("(?#a)", "it does not know the group `(?#`"),
            ("(?P=a)", "it does not know the group `(?P`"),
            (r"a\Z", r"it does not know `\Z`"),
            ("a**", "`*` repeats a repetition"),
            ("a*+", "`+` repeats a repetition"),
            ("a{2}{3}", "`{3}` repeats a repetition"),
            ("*", "`*` repeats nothing"),
            ("a|+", "`+` repeats nothing"),
            ("(?i)*", "`*` repeats nothing"),
            ("a{1001}", "`{1001}` is no repetition of up to 1000 times"),
            ("a{3,2}", "`{3,2}` is no repetition of up to 1000 times"),
            ("(a", "`(` is not closed"),
            ("(?i", "`(` is not closed"),
            ("a)", "`)` closes nothing"),
            ("[a", "`[` is not closed"),
            ("[]", "`[` is not closed"),
            ("[b-a]", "the range `b-a` is empty"),
            (r"a\", r"`\` stands at the end"),
            (r"\xz", r"`\x` needs two hexadecimal digits, or some in braces"),
            ("(?P<>a)", "`` is no name of a group"),
        ] {
            assert_eq!(refusal(pattern).as_deref(), Some(why), "{pattern}");
        }
    }

    #[test]
    fn what_re2_takes_passes() {
        for pattern in [
            "",
            "^/v[0-9]+/.*$",
            "(?i)test|beta",
            "(?P<a>b)(?<c>d)(?:e)(?s-i:f)",
            r"\pL\p{Greek}\Qa*+\E+\x{10FFFF}\x41\101\a\z",
            "[]a][^]b][[:alpha:]-z][a-][-a][[:]",
            "a{,2}a{01}a{}a{2}?a{2,}{",
            "a*?b+?c??",
            "^*$+",
            "a(?i)*",
            r"\.\_\-é",
        ] {
            assert_eq!(refusal(pattern), None, "{pattern}");
        }
    }
}
