//! RE2, the regular expressions of Envoy and of Go: what it surely refuses, and what it matches.
//!
//! No crate judges this: `regex-lite` refuses what RE2 takes (`\pL`, `\Q…\E`, octal escapes) and takes what RE2 refuses
//! (`a**`, repetitions above 1000). So the constructs that RE2 lacks are looked for one by one. Envoy compiles an
//! expression with RE2, Istio's validation with Go's `regexp/syntax`: what one of the two refuses is refused here.

mod names;
mod translate;

use std::iter::Peekable;
use std::str::Chars;

pub(crate) use translate::Expression;

/// The largest count of a repetition, and of repetitions inside each other multiplied.
const MAX_REPEAT: u32 = 1000;
/// Letters with a meaning behind `\` outside brackets.
const LETTERS: &str = "AbBzaftnrvdDsSwW";
/// Those that stand for one character.
const CONTROLS: &str = "aftnrv";
/// Those that stand for many characters.
const CLASSES: &str = "dDsSwW";

/// Says why RE2 refuses an expression; none when it takes it.
pub(crate) fn refusal(pattern: &str) -> Option<String> {
    let mut scan = Scan { rest: pattern.chars().peekable(), open: Vec::new(), product: 0, atom: None, repeated: false };
    scan.run().err()
}

struct Scan<'a> {
    rest: Peekable<Chars<'a>>,
    /// Of each group that is not closed, the [`product`](Self::product) of what stands around it.
    open: Vec<u32>,
    /// The largest product of repetitions inside each other that this group has before its atom; 0 without any.
    product: u32,
    /// The same of the atom: what stands before and can be repeated; none when nothing does.
    atom: Option<u32>,
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
                ')' => {
                    let around = self.open.pop().ok_or("`)` closes nothing")?;
                    self.end_atom();
                    self.atom = Some(std::mem::replace(&mut self.product, around));
                }
                '|' => self.end_atom(),
                '*' | '+' | '?' => self.repetition(&character.to_string(), None)?,
                '{' => self.count()?,
                _ => self.put_atom(),
            }
        }
        if self.open.is_empty() { Ok(()) } else { Err("`(` is not closed".into()) }
    }

    fn put_atom(&mut self) {
        self.end_atom();
        self.atom = Some(0);
    }

    /// Leaves what stands before: nothing repeats it any more.
    fn end_atom(&mut self) {
        self.product = self.product.max(self.atom.take().unwrap_or_default());
        self.repeated = false;
    }

    fn open(&mut self) {
        self.end_atom();
        self.open.push(std::mem::take(&mut self.product));
    }

    fn escape(&mut self) -> Result<(), String> {
        self.repeated = false;
        match self.rest.peek().copied() {
            Some('Q') => {
                self.rest.next();
                // Literal text up to `\E`; an empty one is no atom.
                while let Some(character) = self.rest.next() {
                    if character == '\\' && self.rest.next_if_eq(&'E').is_some() {
                        return Ok(());
                    }
                    self.put_atom();
                }
                return Ok(());
            }
            Some(sign @ ('p' | 'P')) => self.property(sign)?,
            Some(letter) if LETTERS.contains(letter) => {
                self.rest.next();
            }
            _ => {
                self.character()?;
            }
        }
        self.put_atom();
        Ok(())
    }

    /// Reads what stands behind `\` for one character, and gives that.
    fn character(&mut self) -> Result<char, String> {
        let Some(character) = self.rest.next() else { return Err("`\\` stands at the end".into()) };
        match character {
            '0'..='7' if character == '0' || self.rest.peek().is_some_and(|next| ('0'..='7').contains(next)) => {
                let mut code = character as u32 - '0' as u32;
                for _ in 0..2 {
                    let Some(digit) = self.rest.next_if(|next| ('0'..='7').contains(next)) else { break };
                    code = code * 8 + (digit as u32 - '0' as u32);
                }
                Ok(char::from_u32(code).unwrap_or_default())
            }
            '1'..='9' => Err(format!("it has no references to groups: `\\{character}`")),
            'x' => self.hexadecimal(),
            'k' => Err("it has no references to groups: `\\k`".into()),
            _ if CONTROLS.contains(character) => Ok(match character {
                'a' => '\u{7}',
                'f' => '\u{c}',
                't' => '\t',
                'n' => '\n',
                'r' => '\r',
                _ => '\u{b}',
            }),
            _ if character.is_ascii() && !character.is_ascii_alphanumeric() => Ok(character),
            _ => Err(format!("it does not know `\\{character}`")),
        }
    }

    fn hexadecimal(&mut self) -> Result<char, String> {
        let wrong = || "`\\x` needs two hexadecimal digits, or up to `10FFFF` in braces".to_owned();
        let braces = self.rest.next_if_eq(&'{').is_some();
        let mut digits = String::new();
        while (braces || digits.len() < 2)
            && let Some(digit) = self.rest.next_if(char::is_ascii_hexdigit)
        {
            digits.push(digit);
        }
        let ended = if braces { self.rest.next() == Some('}') } else { digits.len() == 2 };
        let code = u32::from_str_radix(&digits, 16).ok().filter(|code| ended && *code <= 0x10_FFFF);
        // A surrogate is no character to Rust, and one to RE2; it lies where this one does.
        code.map(|code| char::from_u32(code).unwrap_or('\u{e000}')).ok_or_else(wrong)
    }

    /// Reads `pL`, `p{Greek}` or `P{^Greek}`.
    fn property(&mut self, sign: char) -> Result<(), String> {
        self.rest.next();
        let name: String = if self.rest.next_if_eq(&'{').is_some() {
            let mut name = String::new();
            loop {
                match self.rest.next() {
                    Some('}') => break name,
                    Some(character) => name.push(character),
                    None => return Err(format!("`\\{sign}{{` is not closed")),
                }
            }
        } else {
            self.rest.next().into_iter().collect()
        };
        if names::is_property(name.strip_prefix('^').unwrap_or(&name)) {
            return Ok(());
        }
        Err(format!("it does not know the characters `\\{sign}{{{name}}}`"))
    }

    fn class(&mut self) -> Result<(), String> {
        let unclosed = || "`[` is not closed".to_owned();
        self.rest.next_if_eq(&'^');
        let mut first = true;
        loop {
            let next = self.rest.peek().copied().ok_or_else(unclosed)?;
            if next == ']' && !first {
                self.rest.next();
                break;
            }
            first = false;
            if next == '[' && self.named_class()? {
                continue;
            }
            if next == '\\' {
                match self.rest.clone().nth(1) {
                    Some(sign @ ('p' | 'P')) => {
                        self.rest.next();
                        self.property(sign)?;
                        continue;
                    }
                    Some(letter) if CLASSES.contains(letter) => {
                        self.rest.nth(1);
                        continue;
                    }
                    _ => {}
                }
            }
            let low = self.bound()?.ok_or_else(unclosed)?;
            if self.rest.peek() == Some(&'-') && self.rest.clone().nth(1).is_some_and(|next| next != ']') {
                self.rest.next();
                let high = self.bound()?.ok_or_else(unclosed)?;
                if low > high {
                    return Err(format!("the range `{low}-{high}` is empty"));
                }
            }
        }
        self.put_atom();
        Ok(())
    }

    /// Reads a character inside brackets: an end of a range, or one alone.
    fn bound(&mut self) -> Result<Option<char>, String> {
        match self.rest.next() {
            Some('\\') => self.character().map(Some),
            other => Ok(other),
        }
    }

    /// Reads `[:NAME:]` where it follows.
    fn named_class(&mut self) -> Result<bool, String> {
        let text: String = self.rest.clone().skip(1).collect();
        let Some((name, _)) = text.strip_prefix(':').and_then(|text| text.split_once(":]")) else { return Ok(false) };
        if !names::CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err(format!("it does not know the class `[:{name}:]`"));
        }
        self.rest.nth(name.chars().count() + 3);
        Ok(true)
    }

    fn group(&mut self) -> Result<(), String> {
        if self.rest.next_if_eq(&'?').is_none() {
            self.open();
            return Ok(());
        }
        match self.rest.next() {
            Some(look @ ('=' | '!')) => return Err(format!("it has no lookaround: `(?{look}`")),
            Some('<') => match self.rest.peek() {
                Some(look @ ('=' | '!')) => return Err(format!("it has no lookaround: `(?<{look}`")),
                _ => self.group_name()?,
            },
            Some('P') if self.rest.next_if_eq(&'<').is_some() => self.group_name()?,
            Some('>') => return Err("it has no atomic groups: `(?>`".into()),
            Some(flag) => return self.flags(flag),
            None => return Err("`(` is not closed".into()),
        }
        self.open();
        Ok(())
    }

    fn group_name(&mut self) -> Result<(), String> {
        let name: String = self.rest.by_ref().take_while(|c| *c != '>').collect();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(format!("`{name}` is no name of a group"));
        }
        Ok(())
    }

    /// Reads `i)`, `i-s:` and the like, from the first flag on.
    fn flags(&mut self, mut flag: char) -> Result<(), String> {
        let (mut cleared, mut some) = (false, false);
        loop {
            match flag {
                ':' | ')' if cleared && !some => return Err(format!("it does not know the group `(?-{flag}`")),
                ':' => {
                    self.open();
                    return Ok(());
                }
                // Flags alone are no group: what stands before them stays what can be repeated.
                ')' => {
                    self.repeated = false;
                    return Ok(());
                }
                'i' | 'm' | 's' | 'U' => some = true,
                '-' if !cleared => (cleared, some) = (true, false),
                _ => return Err(format!("it does not know the group `(?{flag}`")),
            }
            flag = self.rest.next().ok_or("`(` is not closed")?;
        }
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
        let (least, most) = (value(least), if most.is_empty() { None } else { Some(value(most)) });
        let highest = most.unwrap_or(least);
        if highest > MAX_REPEAT || least > highest {
            return Err(format!("`{{{text}}}` is no repetition of up to {MAX_REPEAT} times"));
        }
        self.rest.nth(text.len());
        self.repetition(&format!("{{{text}}}"), Some((least, most)))
    }

    /// Takes in a repetition; of `{n,m}` the counts, the second none where it is open.
    fn repetition(&mut self, text: &str, counts: Option<(u32, Option<u32>)>) -> Result<(), String> {
        let Some(inside) = self.atom else { return Err(format!("`{text}` repeats nothing")) };
        if self.repeated {
            return Err(format!("`{text}` repeats a repetition"));
        }
        if let Some((least, most)) = counts {
            let product = match most.unwrap_or(least) {
                // What is repeated no time is not looked into.
                0 if most.is_some() => 0,
                0 => inside,
                times => times.saturating_mul(inside.max(1)),
            };
            // `{0}` and `{1}` pass whatever they repeat, until something around them repeats it more often.
            if product > MAX_REPEAT && (least >= 2 || most.is_some_and(|most| most >= 2)) {
                return Err(format!("with `{text}` repetitions inside each other make more than {MAX_REPEAT} times"));
            }
            self.atom = Some(product);
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
            (r"\xz", r"`\x` needs two hexadecimal digits, or up to `10FFFF` in braces"),
            (r"\x{110000}", r"`\x` needs two hexadecimal digits, or up to `10FFFF` in braces"),
            ("(a{1000}){1000}", "with `{1000}` repetitions inside each other make more than 1000 times"),
            ("((a{10}){10}){11}", "with `{11}` repetitions inside each other make more than 1000 times"),
            ("(b|(?:a{500})*){3,}", "with `{3,}` repetitions inside each other make more than 1000 times"),
            (r"\p{Foo}", r"it does not know the characters `\p{Foo}`"),
            (r"[\PQ]", r"it does not know the characters `\P{Q}`"),
            (r"\p{L", r"`\p{` is not closed"),
            ("[[:foo:]]", "it does not know the class `[:foo:]`"),
            (r"\C", r"it does not know `\C`"),
            (r"\E", r"it does not know `\E`"),
            (r"\é", r"it does not know `\é`"),
            (r"[a-\d]", r"it does not know `\d`"),
            (r"[\b]", r"it does not know `\b`"),
            ("(?i-)a", "it does not know the group `(?-)`"),
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
            r"[\p{^Greek}\PN[:^alpha:]\d-z\x{41}-\x{5a}\]]",
            "((a{10}){10}){0}(?:b{1000}){1}((c{1000}){0}){1000}|(d{1000}){0,1}",
            r"a*\Q\E*",
        ] {
            assert_eq!(refusal(pattern), None, "{pattern}");
        }
    }
}
