//! Texts that hold names with their values: what a match of a route asks for, the path of a request with its query.

use super::key::sounds_like_session;
use super::{HIDDEN, Pair, address, is_parameter, pairs, sounds_secret};

/// A text without what must not be shown: of `name=value` and `name: value` the values of names that sound like a secret, and
/// all that [`without_passwords`](super::without_passwords) hides. The text may be an expression of RE2.
pub(in crate::cli) fn without_secrets(text: &str) -> String {
    split(text).0
}

/// What may be shown of a text, and what is hidden of it.
pub(super) fn split(text: &str) -> (String, Vec<String>) {
    let (mut shown, mut hidden, mut next) = (String::new(), Vec::new(), 0);
    for (at, _) in text.match_indices('=') {
        let (Some(before), Some(value)) = (text.get(next..at), text.get(at + 1..)) else { continue };
        if value.starts_with(HIDDEN) || !names_secret(before) {
            continue;
        }
        let length = length(value);
        if length == 0 {
            continue;
        }
        shown.push_str(before);
        shown.push('=');
        shown.push_str(HIDDEN);
        hidden.extend(value.get(..length).map(str::to_owned));
        next = at + 1 + length;
    }
    shown.push_str(text.get(next..).unwrap_or_default());
    let secret = |pair: &Pair<'_>| pair.sign == ":" && sounds_secret(pair.key) && !pair.value.trim().is_empty();
    let start = pairs(&shown).find(secret).map(|pair| pair.start);
    if let Some(start) = start {
        hidden.push(shown.split_off(start));
        shown.push_str(HIDDEN);
    }
    let (shown, of_address) = address::split(&shown);
    hidden.extend(of_address);
    (shown, hidden)
}

/// Whether what stands before a `=` ends with a name that sounds like a secret, or with that of a secret parameter of a query.
fn names_secret(before: &str) -> bool {
    let trimmed = ["\\s*", "\\s+"].iter().fold(before.trim_end(), |text, blank| text.trim_end_matches(blank));
    let trimmed = trimmed.trim_end_matches(['"', '\'', ' ']);
    let is_part = |c: char| c.is_alphanumeric() || "_-.%[]\\".contains(c);
    let start = trimmed.trim_end_matches(is_part).len();
    let name = trimmed.get(start..).unwrap_or_default();
    let in_query = trimmed.get(..start).is_some_and(|before| before.ends_with(['?', '&']));
    let name = written(name.trim_start_matches(']'));
    sounds_secret(&name) || sounds_like_session(&name) || in_query && is_parameter(&name)
}

/// A name without the classes of an expression that takes it in any case: `[Tt]oken`.
fn written(name: &str) -> String {
    let (mut text, mut rest) = (String::new(), name);
    while let Some((before, behind)) = rest.split_once('[') {
        text.push_str(before);
        let (class, behind) = behind.split_once(']').unwrap_or((behind, ""));
        text.extend(class.chars().next());
        rest = behind;
    }
    text + rest
}

/// How many bytes of a text belong to a value at its beginning: up to where cookies and queries end one, groups and classes of
/// an expression as a whole.
fn length(text: &str) -> usize {
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''));
    let (mut depth, mut in_class, mut is_escaped) = (0_usize, false, false);
    for (at, sign) in text.char_indices().skip(usize::from(quote.is_some())) {
        match sign {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if quote == Some(sign) => return at + 1,
            _ if quote.is_some() => {}
            ']' => in_class = false,
            _ if in_class => {}
            '[' => in_class = true,
            '(' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            ')' | '&' | ';' | '"' | '\'' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_secrets_alone_are_hidden() {
        for (text, want) in [
            ("/a?token=abc", "/a?token=•••••"),
            ("/a?v=1&token=abc&b=2", "/a?v=1&token=•••••&b=2"),
            ("/a?to%6ben=abc&sig=abc", "/a?to%6ben=•••••&sig=•••••"),
            ("a=1; session_token=abc; b=2", "a=1; session_token=•••••; b=2"),
            ("token=abc, def", "token=•••••"),
            ("api-key=\"abc;def\"; b=2", "api-key=•••••; b=2"),
            (r#"api-key="abc\"def"; b=2"#, "api-key=•••••; b=2"),
            ("a=token=abc&b=2", "a=token=•••••&b=2"),
            ("{\"token\": \"abc\"}", "{\"token\":•••••"),
            ("password: abc", "password:•••••"),
            ("Bearer password=abc", "Bearer password=•••••"),
            ("https://ann:abc@host/a?token=abc", "https://•••••@host/a?token=•••••"),
        ] {
            assert_eq!(without_secrets(text), want);
            assert_eq!(without_secrets(want), want);
        }
    }

    #[test]
    fn an_expression_is_shown_up_to_what_a_secret_must_be() {
        for (text, want) in [
            ("session_token=abc", "session_token=•••••"),
            ("^(.*?;)?(token=abc)(;.*)?$", "^(.*?;)?(token=•••••)(;.*)?$"),
            (".*[Tt]oken=(abc|[;&)]def)[a-z&]+$", ".*[Tt]oken=•••••"),
            ("/a\\?v=1&token\\s*=\\s*abc\\;d&b=[0-9]", "/a\\?v=1&token\\s*=•••••&b=[0-9]"),
            (".*[?&]key=abc&b=2", ".*[?&]key=•••••&b=2"),
        ] {
            assert_eq!(without_secrets(text), want);
        }
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        for text in [
            "/v1/models/token-model:predict",
            "^/v1/models/(token|secret)[^/]*:predict$",
            "/v2/models/wisdom/infer?version=2&max_tokens=5",
            "^(.*?;)?(user=test)(;.*)?$",
            "/a?token=",
            "key=value",
            "app=shop,tier=token",
            "test",
            "",
        ] {
            assert_eq!(without_secrets(text), text);
        }
    }
}
