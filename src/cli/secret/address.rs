//! Addresses with a name and a password, or with a parameter that is a secret.

use std::borrow::Cow;

use super::armour::{self, Keys};
use super::{HIDDEN, form, login, sounds_secret};

/// Names of parameters that are a secret, beside those that sound like one.
const PARAMETERS: [&str; 6] = ["auth", "code", "jwt", "key", "sig", "signature"];

/// A message without the names, passwords and secret parameters in its addresses, and without what is a secret by its form:
/// a private key, a token.
pub(in crate::cli) fn without_passwords(message: &str) -> Cow<'_, str> {
    if !may_hold(message) {
        return Cow::Borrowed(message);
    }
    match split(message) {
        (_, hidden) if hidden.is_empty() => Cow::Borrowed(message),
        (shown, _) => Cow::Owned(shown),
    }
}

/// Whether a text has a character without which no address holds a secret, or the form of one: most texts have none, and are
/// long.
pub(super) fn may_hold(text: &str) -> bool {
    text.contains(['@', '?', '&', '#'])
        || armour::may_hold(text)
        || form::token(text).is_some()
        || login::basic(text).is_some()
        || login::of_flag(text).is_some()
}

/// Finds the first secret of one kind in a text, in bytes.
type Scan = fn(&str) -> Option<(usize, usize)>;

/// All kinds but private keys.
const SCANS: [Scan; 6] = [user, parameter, form::token, login::basic, login::of_flag, login::of_driver];

/// What may be shown of a text, and what is hidden of it.
pub(super) fn split(text: &str) -> (String, Vec<String>) {
    const NOWHERE: (usize, usize) = (usize::MAX, usize::MAX);
    let (mut shown, mut hidden, mut at) = (String::with_capacity(text.len()), Vec::new(), 0);
    let mut next = SCANS.map(|scan| scan(text).unwrap_or(NOWHERE));
    let mut keys = Keys::of(text);
    let mut key = keys.next(0).unwrap_or(NOWHERE);
    while let Some((start, end)) = next.iter().copied().chain([key]).min().filter(|found| *found != NOWHERE) {
        shown.push_str(text.get(at..start).unwrap_or_default());
        shown.push_str(HIDDEN);
        hidden.extend(text.get(start..end).map(str::to_owned));
        at = end;
        let rest = text.get(at..).unwrap_or_default();
        // What the others have found is found once: a long text is read once, however much it holds.
        for (found, scan) in next.iter_mut().zip(SCANS).filter(|(found, _)| found.0 < at || found.0 == start) {
            *found = scan(rest).map_or(NOWHERE, |(start, end)| (at + start, at + end));
        }
        if key.0 < at || key.0 == start {
            key = keys.next(at).unwrap_or(NOWHERE);
        }
    }
    shown.push_str(text.get(at..).unwrap_or_default());
    (shown, hidden)
}

/// Where in a text the first secret of an address is, or the first that is known by its form, in bytes.
pub(super) fn secret(text: &str) -> Option<(usize, usize)> {
    SCANS.iter().filter_map(|scan| scan(text)).chain(Keys::of(text).next(0)).min()
}

/// Whether the value of a query's parameter is a secret, by its name.
pub(in crate::cli) fn is_parameter(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    sounds_secret(name) || plain.ends_with("signature") || PARAMETERS.contains(&plain.as_str())
}

/// Where the name and password of the first address with one are: `https://NAME:PASSWORD@HOST`.
fn user(text: &str) -> Option<(usize, usize)> {
    text.match_indices("://").find_map(|(at, _)| {
        let start = at + 3;
        let rest = text.get(start..)?;
        let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '`' | '\\');
        let authority = rest.get(..rest.find(ends).unwrap_or(rest.len()))?;
        let user = authority.get(..authority.rfind('@')?)?;
        // A lone name is a token for a web server, and a mere name for others: `ssh://git@host`.
        let before = text.get(..at)?;
        let secret = user.contains(':') || before.ends_with("http") || before.ends_with("https");
        (secret && !user.is_empty() && user != HIDDEN).then_some((start, start + user.len()))
    })
}

/// Where the value of the first parameter that is a secret is: `?token=VALUE`.
fn parameter(text: &str) -> Option<(usize, usize)> {
    text.match_indices(['?', '&', '#']).find_map(|(at, _)| {
        let rest = text.get(at + 1..)?;
        let ends =
            |c: char| c.is_whitespace() || matches!(c, '?' | '&' | '#' | ';' | '"' | '\'' | '`' | '\\' | '<' | '>');
        let pair = rest.get(..rest.find(ends).unwrap_or(rest.len()))?;
        let (name, value) = pair.split_once('=')?;
        let name = name.strip_prefix("amp;").unwrap_or(name);
        let start = at + 1 + pair.len() - value.len();
        (is_parameter(name) && !value.is_empty() && !value.starts_with(HIDDEN)).then_some((start, start + value.len()))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn only_what_is_hidden_is_missing_and_only_where_it_may_be(
            text in "(https|http|s3|://|@|a|:|/|\\?|&|#|=|token|key|x|ghp_A1b2C3d4E5f6G7h8I9j0[ /@&]|eyJhbGciOiJIUzI1NiJ9\\.eyJzdWI\\.x[ /@&]|-u |--user=|@tcp\\(|Basic dXNlcjpwdw|-----BEGIN PRIVATE KEY-----|MIIEvQIBADANBgkq|-----END| |\"|\n){0,24}"
        ) {
            let (shown, hidden) = split(&text);
            prop_assert_eq!(hidden.is_empty(), secret(&text).is_none());
            let whole = hidden.iter().fold(shown, |shown, hidden| shown.replacen(HIDDEN, hidden, 1));
            prop_assert_eq!(&whole, &text);
            prop_assert!(may_hold(&text) || hidden.is_empty());
        }
    }

    #[test]
    fn a_message_shows_no_password_of_an_address() {
        let text = "`https://a:b@c/d` and \"https://e@f\", not ssh://g@h";
        assert_eq!(without_passwords(text), "`https://•••••@c/d` and \"https://•••••@f\", not ssh://g@h");
    }

    #[test]
    fn a_message_shows_no_parameter_that_is_a_secret() {
        for (text, want) in [
            ("https://h/m?token=abcd1234", "https://h/m?token=•••••"),
            ("`https://h/m?v=1&access_token=a&x=2`", "`https://h/m?v=1&access_token=•••••&x=2`"),
            (
                "https://a:b@h/m?X-Amz-Credential=a%2F&X-Amz-Signature=b",
                "https://•••••@h/m?X-Amz-Credential=•••••&X-Amz-Signature=•••••",
            ),
            ("https://h/m?sv=1&sig=a%3D#frag", "https://h/m?sv=1&sig=•••••#frag"),
            ("https://h/m?to%6ben=abcd&v=1", "https://h/m?to%6ben=•••••&v=1"),
            ("https://h/m?max_tokens=5&keys=3&token=", "https://h/m?max_tokens=5&keys=3&token="),
            ("is it so? token = a", "is it so? token = a"),
        ] {
            assert_eq!(without_passwords(text), want);
        }
    }
}
