//! Keys that sound as if their values were secrets.

use std::borrow::Cow;

/// Parts of key names whose values are not shown, without `-`, `_` and upper case.
const WORDS: [&str; 20] = [
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
    "accountkey",
    "webhookurl",
    "sessionid",
    "sessid",
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

/// Last words of the names of environment variables that hold a secret: `GITHUB_PAT`, `SENTRY_DSN`, `SSH_KEY`.
const LAST: [&str; 5] = ["AUTH", "PAT", "DSN", "KEY", "WEBHOOK"];
/// Words before `_KEY` with which it opens nothing.
const PUBLIC: [&str; 7] = ["CACHE", "OBJECT", "PARTITION", "PRIMARY", "PUBLIC", "ROUTING", "SORT"];

/// Whether anything in a text may sound like the key of a secret: where not, no line of it has to be looked at.
pub(super) fn may_sound_secret(text: &str) -> bool {
    let text = unescaped(text);
    let plain = plain(&text);
    plain.contains("pass")
        || WORDS.iter().any(|word| plain.contains(word))
        || LAST.iter().any(|word| text.contains(word))
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
    if key.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(is_variable) {
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

/// Whether a word is the name of an environment variable that holds a secret: in capital letters alone, since `key`, `auth`
/// and `path` mean much else.
fn is_variable(word: &str) -> bool {
    let mut words = word.rsplit('_');
    let last = words.next().unwrap_or_default();
    // Most words are none: the rest is done for few.
    if !LAST.contains(&last) || word.contains(|c: char| c.is_ascii_lowercase()) {
        return false;
    }
    last != "KEY" || !words.next().is_some_and(|before| PUBLIC.contains(&before))
}

/// A key as YAML and JSON read it between double quotes, and as a server reads it in a query.
fn unescaped(key: &str) -> Cow<'_, str> {
    if !key.contains(['\\', '%']) {
        return Cow::Borrowed(key);
    }
    let (mut text, mut rest) = (String::new(), key);
    while let Some(at) = rest.find(['\\', '%']) {
        text.push_str(rest.get(..at).unwrap_or_default());
        let behind = rest.get(at + 1..).unwrap_or_default();
        let (first, digits) = match (rest.as_bytes()[at], behind.bytes().next()) {
            (b'%', _) => (0, 2),
            (_, Some(b'x')) => (1, 2),
            (_, Some(b'u')) => (1, 4),
            (_, Some(b'U')) => (1, 8),
            _ => (0, 0),
        };
        let code = behind.get(first..first + digits).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let character = code.and_then(char::from_u32);
        text.extend(character);
        rest = if character.is_some() { behind.get(first + digits..).unwrap_or_default() } else { behind };
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
        fn no_line_sounds_secret_in_a_text_that_cannot(
            text in "(max_?|To-?ken|db_?|pass|\\\\x77ord|word|izer|secret|KEY|%4BEY|_PAT|web|hook|Name|Key| |:|\n|\\\\){0,12}"
        ) {
            if !may_sound_secret(&text) {
                prop_assert_eq!(text.split('\n').find(|line| sounds_secret(line)), None);
            }
        }
    }

    #[test]
    fn the_names_of_variables_that_hold_a_secret_sound_so() {
        for name in [
            "AUTH",
            "REDIS_AUTH",
            "PAT",
            "GITHUB_PAT",
            "DSN",
            "SENTRY_DSN",
            "ENCRYPTION_KEY",
            "API_KEY",
            "SSH_KEY",
            "AWS_SECRET_ACCESS_KEY",
            "SLACK_WEBHOOK",
            "SLACK_WEBHOOK_URL",
            "slackWebhookUrl",
            "webhook-url",
            "AccountKey",
            "application.versions[0].env.SSH_KEY",
            "X-AUTH",
            "JSESSIONID",
            "PHPSESSID",
            "to%6Ben",
            "to\\u006ben",
        ] {
            assert!(sounds_secret(name), "{name}");
        }
    }

    #[test]
    fn what_only_ends_as_such_a_name_does_not() {
        for name in [
            "key",
            "keys",
            "Key",
            "auth",
            "path",
            "PATH",
            "COMPAT",
            "OAUTH2_ISSUER",
            "AUTH_MODE",
            "KEYS_FILE",
            "FOO_KEYS_FILE",
            "PUBLIC_KEY",
            "JWT_PUBLIC_KEY",
            "PARTITION_KEY",
            "MONKEY",
            "nodeSelector.key",
            "topologyKey",
            "webhooks",
            "sessionAffinity",
            "100%",
            "cookie",
            "headers.cookie.regex",
        ] {
            assert!(!sounds_secret(name), "{name}");
        }
    }
}
