//! Keys that sound as if their values were secrets.

use std::borrow::Cow;

/// Parts of key names whose values are not shown, without `-`, `_` and upper case.
const WORDS: [&str; 16] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "bearer",
    "authorization",
    "credential",
    "apikey",
    "accesskey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "licensekey",
    "creds",
];
/// Bytes of the shortest of them.
const SHORTEST: usize = 3;
/// Key names that sound so and only refer to a secret, or count tokens of a text.
const HARMLESS: [&str; 8] = [
    "servingkserveiosecretkey",
    "secretname",
    "secretref",
    "secretkeyref",
    "imagepullsecret",
    "serviceaccounttoken",
    "maxtoken",
    "tokeniz",
];

/// Whether anything in a text may sound like the key of a secret: where not, no line of it has to be looked at.
pub(super) fn may_sound_secret(text: &str) -> bool {
    let plain = plain(&unescaped(text));
    plain.contains("pass") || WORDS.iter().any(|word| plain.contains(word))
}

/// Whether a key, or a whole path of keys, sounds as if its value were a secret.
pub(in crate::cli) fn sounds_secret(key: &str) -> bool {
    // A line of colons has millions of keys.
    if key.len() < SHORTEST {
        return false;
    }
    let key = unescaped(key);
    let mut plain = plain(&key);
    // `dbPass` and `DB_PASS`, but no `passthrough`.
    if plain.contains("pass") && key.split(|c: char| !c.is_ascii_alphanumeric()).any(is_pass) {
        return true;
    }
    // Most keys are none: the rest is done for few.
    if !WORDS.iter().any(|word| plain.contains(word)) {
        return false;
    }
    for name in HARMLESS {
        plain = plain.replace(name, "");
    }
    WORDS.iter().any(|word| plain.contains(word))
}

/// Letters and digits alone, in lower case.
fn plain(key: &str) -> String {
    let mut plain: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
    plain.make_ascii_lowercase();
    plain
}

fn is_pass(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    word.ends_with("pass") && !word.ends_with("bypass") && !word.ends_with("compass")
}

/// A key as YAML and JSON read it between double quotes.
fn unescaped(key: &str) -> Cow<'_, str> {
    if !key.contains('\\') {
        return Cow::Borrowed(key);
    }
    let (mut text, mut rest) = (String::new(), key);
    while let Some((before, behind)) = rest.split_once('\\') {
        text.push_str(before);
        let digits = match behind.chars().next() {
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            _ => 0,
        };
        let code = behind.get(1..=digits).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let character = code.and_then(char::from_u32);
        text.extend(character);
        rest = if character.is_some() { behind.get(digits + 1..).unwrap_or_default() } else { behind };
    }
    text.push_str(rest);
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_line_sounds_secret_in_a_text_that_cannot(text in "(max_?|To-?ken|db_?|pass|\\\\x77ord|word|izer|secret|Name|Key| |:|\n|\\\\){0,12}") {
            if !may_sound_secret(&text) {
                prop_assert_eq!(text.split('\n').find(|line| sounds_secret(line)), None);
            }
        }
    }
}
