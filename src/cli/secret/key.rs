//! Keys that sound as if their values were secrets.

use std::borrow::Cow;

use super::words::Words;

/// Parts of key names whose values are not shown, without `-`, `_` and upper case.
const WORDS: [&str; 26] = [
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
    "sshkey",
    "masterkey",
    "rsakey",
    "hmackey",
    "clientkeydata",
    "dockerconfigjson",
    "webhookurl",
    "sessionid",
    "sessid",
];
/// Last words of key names that are too short or too common to be looked for inside of others: `DB_PW`, `--jwt`, the `auths`
/// of a registry's login.
const LAST_WORDS: [&str; 3] = ["pw", "jwt", "auths"];
/// Bytes of the shortest of them.
const SHORTEST: usize = 2;
/// Key names that sound so and only refer to a secret, or count tokens of a text.
const HARMLESS: [&str; 11] = [
    "servingkserveiosecretkey",
    "nginxingresskubernetesioauthsecret",
    "nginxingresskubernetesioauthtlssecret",
    "nginxingresskubernetesioproxysslsecret",
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
/// Last words of the names of cookies that are as good as a password.
const SESSIONS: [&str; 3] = ["session", "sid", "sess"];

/// Whether anything in a text may sound like the key of a secret, or like the name of a session: where not, no line of it has
/// to be looked at.
pub(super) fn may_sound_secret(text: &str) -> bool {
    let text = unescaped(text);
    let plain = plain(&text);
    may(&text, &plain) || SESSIONS.iter().any(|word| plain.contains(word))
}

/// As [`may_sound_secret`], of a text whose escapes are resolved, and its letters and digits.
fn may(text: &str, plain: &str) -> bool {
    plain.contains("pass")
        || WORDS.iter().chain(&LAST_WORDS).any(|word| plain.contains(word))
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
    // Most keys are none: the rest is done for few.
    if !may(&key, &plain) {
        return false;
    }
    if key.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(is_variable) {
        return true;
    }
    for name in HARMLESS {
        plain = plain.replace(name, &"-".repeat(name.len()));
    }
    let words = Words::of(&key);
    // `dbPass` and `DB_PASS`, but no `passthrough`.
    words.any_last(&LAST_WORDS)
        || words.any_pass()
        || WORDS.iter().any(|word| plain.match_indices(word).any(|(at, _)| !words.is_harmless(at, word)))
}

/// Whether the name of a cookie, which stands before its `=`, sounds as if the cookie were a session.
pub(super) fn sounds_like_session(name: &str) -> bool {
    // `--session=3` is an argument.
    if name.len() < SHORTEST || name.contains("--") {
        return false;
    }
    // An expression may ask for it with blanks, and in any case: `[Ss]ession\s*=`.
    let name = unescaped(name.trim_end().trim_end_matches("\\s*")).replace(['[', ']'], "");
    let name = name.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    let word = name.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default().to_ascii_lowercase();
    SESSIONS.contains(&word.as_str()) || word.ends_with(SESSIONS[0])
}

/// Letters and digits alone, in lower case.
fn plain(key: &str) -> String {
    let mut plain: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
    plain.make_ascii_lowercase();
    plain
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
mod tests;
