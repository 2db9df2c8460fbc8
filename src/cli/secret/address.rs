//! Addresses with a name and a password.

use std::borrow::Cow;

use super::HIDDEN;

/// A message without the names and passwords in its addresses.
pub(in crate::cli) fn without_passwords(message: &str) -> Cow<'_, str> {
    let (mut text, mut rest) = (String::new(), message);
    while let Some((start, end)) = user(rest) {
        text.push_str(rest.get(..start).unwrap_or_default());
        text.push_str(HIDDEN);
        rest = rest.get(end..).unwrap_or_default();
    }
    if text.is_empty() { Cow::Borrowed(message) } else { Cow::Owned(text + rest) }
}

/// Where in a text the name and password of its first address with one are, in bytes: `https://NAME:PASSWORD@HOST`.
pub(super) fn user(text: &str) -> Option<(usize, usize)> {
    text.match_indices("://").find_map(|(at, _)| {
        let start = at + 3;
        let rest = text.get(start..)?;
        let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '`' | '\\');
        let authority = rest.get(..rest.find(ends).unwrap_or(rest.len()))?;
        let user = authority.get(..authority.rfind('@')?)?;
        // A lone name is a token for a web server, and a mere name for others: `ssh://git@host`.
        let before = text.get(..at)?;
        let secret = user.contains(':') || before.ends_with("http") || before.ends_with("https");
        secret.then_some((start, start + user.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_shows_no_password_of_an_address() {
        let text = "`https://a:b@c/d` and \"https://e@f\", not ssh://g@h";
        assert_eq!(without_passwords(text), "`https://•••••@c/d` and \"https://•••••@f\", not ssh://g@h");
    }
}
