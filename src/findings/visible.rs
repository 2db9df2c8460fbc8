//! What a person would not see of a text, or would see elsewhere, written out as YAML and JSON escape it.

use std::borrow::Cow;

/// Whether a character acts on the terminal, breaks a line, or changes the order in which others are shown.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
        )
}

/// The escape of a character: `\n`, `\u202e`.
pub fn escape(character: char) -> String {
    match character {
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        other => format!("\\u{:04x}", u32::from(other)),
    }
}

/// A text of several lines whose hidden characters are shown; line breaks and tabs stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    shown(text, |character| is_hidden(character) && !matches!(character, '\n' | '\t'))
}

/// A text of one line whose hidden characters are shown, line breaks and tabs among them.
pub fn in_line(text: &str) -> Cow<'_, str> {
    shown(text, is_hidden)
}

fn shown(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    let Some(first) = text.find(&hidden) else { return Cow::Borrowed(text) };
    let (before, rest) = text.split_at(first);
    let mut shown = before.to_owned();
    for character in rest.chars() {
        if hidden(character) { shown.push_str(&escape(character)) } else { shown.push(character) }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_shown_by_its_number() {
        let text = "a\u{1b}[2J\u{85}\u{2028}\u{2029}\u{202e}\u{2066}\u{200f}\u{61c}\u{feff}é漢";
        let want = "a\\u001b[2J\\u0085\\u2028\\u2029\\u202e\\u2066\\u200f\\u061c\\ufeffé漢";
        assert_eq!((visible(text), in_line(text)), (want.into(), want.into()));
    }

    #[test]
    fn lines_and_tabs_stay_where_there_may_be_several_lines() {
        assert_eq!(visible("a\n\tb\r\n"), "a\n\tb\\r\n");
        assert_eq!(in_line("a\n\tb\r\n"), "a\\n\\tb\\r\\n");
        assert!(matches!(visible("a\nb"), Cow::Borrowed(_)));
    }
}
