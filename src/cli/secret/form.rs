//! Values that are known by their form, whatever their key: private keys, tokens of JSON, the tokens of well known services.

use super::HIDDEN;

/// Begins and ends the first line of a key, with what it is in between.
const ARMOUR: (&str, &str) = ("-----BEGIN ", "-----");
/// The most bytes of what a key is: `ENCRYPTED PRIVATE KEY`.
const LONGEST_LABEL: usize = 40;
/// The fewest characters of the longest part of a token of many parts.
const SHORTEST_PART: usize = 16;
/// The fewest characters of a key that is cut off: fewer may be words.
const SHORTEST_BODY: usize = 16;

/// Which characters a token has behind its beginning.
#[derive(Clone, Copy)]
enum Signs {
    /// Letters and digits.
    Alphanumeric,
    /// And `_`.
    Word,
    /// And `_` and `-`.
    Url,
    /// Capital letters and digits, no more of them than the fewest.
    Capital,
    /// As those of an address, with a long part of small and capital letters and digits: `sk-learn-…` is a name.
    Mixed,
}

/// Beginnings of tokens, the fewest characters behind them, and which ones.
const TOKENS: [(&str, usize, Signs); 14] = [
    ("ghp_", 20, Signs::Alphanumeric),
    ("gho_", 20, Signs::Alphanumeric),
    ("ghu_", 20, Signs::Alphanumeric),
    ("ghs_", 20, Signs::Alphanumeric),
    ("ghr_", 20, Signs::Alphanumeric),
    ("github_pat_", 20, Signs::Word),
    ("glpat-", 20, Signs::Url),
    ("hf_", 30, Signs::Alphanumeric),
    ("xoxb-", 10, Signs::Url),
    ("xoxp-", 10, Signs::Url),
    ("xoxa-", 10, Signs::Url),
    ("sk-", 32, Signs::Mixed),
    ("AKIA", 16, Signs::Capital),
    ("ASIA", 16, Signs::Capital),
];

/// Addresses whose path lets anybody write who knows it.
const WEBHOOKS: [&str; 4] = [
    "hooks.slack.com/services/",
    "hooks.slack.com/workflows/",
    "discord.com/api/webhooks/",
    "discordapp.com/api/webhooks/",
];

/// Whether a text may hold one of them, or a part of one.
pub(super) fn may_hold(text: &str) -> bool {
    text.contains(ARMOUR.0) || token(text).is_some()
}

/// Where the first of them is in a text, in bytes.
pub(super) fn secret(text: &str) -> Option<(usize, usize)> {
    private_key(text).into_iter().chain(token(text)).min()
}

/// The first token of JSON or of a well known service, or the path of a webhook.
fn token(text: &str) -> Option<(usize, usize)> {
    let mut before = b' ';
    text.bytes().enumerate().find_map(|(at, byte)| {
        let starts = !before.is_ascii_alphanumeric();
        before = byte;
        // Most characters begin none.
        if !starts || !matches!(byte, b'A' | b'd' | b'e' | b'g' | b'h' | b's' | b'x') {
            return None;
        }
        let rest = text.get(at..)?;
        let webhook = WEBHOOKS.iter().find(|webhook| rest.starts_with(**webhook)).and_then(|webhook| {
            let path = rest.get(webhook.len()..)?;
            let length = path.find(|c: char| c.is_whitespace() || "\"'`\\?#<>".contains(c)).unwrap_or(path.len());
            let shown = at + webhook.len();
            (length > 0 && !path.starts_with(HIDDEN)).then_some((shown, shown + length))
        });
        webhook.or_else(|| Some((at, at + of_json(rest).or_else(|| of_service(rest))?)))
    })
}

/// The length of a token of JSON: three parts, the first of which begins as `{"` does in Base64.
fn of_json(text: &str) -> Option<usize> {
    let is_sign = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let token = text.get(..text.find(|c| !is_sign(c)).unwrap_or(text.len()))?;
    let mut parts = token.split('.');
    let (header, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    (header.starts_with("eyJ") && header.len() > 10 && claims.len() > 3).then_some(token.len())
}

fn of_service(text: &str) -> Option<usize> {
    TOKENS.iter().find_map(|(start, fewest, signs)| {
        let rest = text.strip_prefix(start)?;
        let is_sign = |c: char| match signs {
            Signs::Alphanumeric => c.is_ascii_alphanumeric(),
            Signs::Word => c.is_ascii_alphanumeric() || c == '_',
            Signs::Url | Signs::Mixed => c.is_ascii_alphanumeric() || matches!(c, '_' | '-'),
            Signs::Capital => c.is_ascii_uppercase() || c.is_ascii_digit(),
        };
        let length = rest.find(|c| !is_sign(c)).unwrap_or(rest.len());
        let token = rest.get(..length)?;
        let fits = match signs {
            Signs::Capital => {
                length == *fewest && !rest.get(length..)?.starts_with(|c: char| c.is_ascii_alphanumeric())
            }
            Signs::Mixed => length >= *fewest && token.split(['-', '_']).any(is_random),
            _ => length >= *fewest,
        };
        fits.then_some(start.len() + length)
    })
}

/// Whether a part of a token is no word.
fn is_random(part: &str) -> bool {
    let has = |of: fn(&u8) -> bool| part.bytes().any(|byte| of(&byte));
    let letters = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    part.len() >= SHORTEST_PART && letters && has(u8::is_ascii_digit)
}

/// What stands behind the first line of a private key that a text holds.
fn begun(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(ARMOUR.0)?;
    let (label, body) = rest.split_once(ARMOUR.1)?;
    (label.len() <= LONGEST_LABEL && label.contains("PRIVATE KEY")).then_some(body)
}

/// Where the first body of a private key is that stands in one text with its first line.
fn private_key(text: &str) -> Option<(usize, usize)> {
    text.match_indices(ARMOUR.0).find_map(|(at, _)| {
        let behind = begun(text.get(at..)?)?;
        let body = without_breaks(behind);
        let start = text.len() - body.len();
        let end = body.find("-----END").unwrap_or(body.len());
        // The lines above the body say how it is encrypted.
        let is_body = |c: char| is_sign(c) || c.is_ascii_whitespace() || matches!(c, '\\' | ':' | ',' | '-');
        let whole = body.get(..end).filter(|_| end < body.len()).filter(|body| body.chars().all(is_body));
        let length = match whole {
            Some(whole) => whole.trim_end().len(),
            None => {
                let first = body.find(|c| !is_sign(c)).unwrap_or(body.len());
                let cut_off = |c: char| !(is_sign(c) || c.is_ascii_whitespace() || c == '\\');
                if first < SHORTEST_BODY { 0 } else { body.find(cut_off).unwrap_or(body.len()) }
            }
        };
        (length > 0).then_some((start, start + length))
    })
}

/// A character of Base64.
fn is_sign(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')
}

/// A text without the line breaks at its beginning, also those written as `\n`.
fn without_breaks(mut text: &str) -> &str {
    loop {
        let rest = text.trim_start();
        let rest = rest.strip_prefix("\\n").or_else(|| rest.strip_prefix("\\r")).unwrap_or(rest);
        if rest.len() == text.len() {
            return rest;
        }
        text = rest;
    }
}

/// Which lines of a text are the body of a private key.
pub(super) fn bodies(lines: &[&str]) -> Vec<bool> {
    let mut inside = false;
    let line = |line: &&str| {
        let is_own = inside && is_body(line);
        inside = match begun(line) {
            Some(behind) => !behind.contains("-----END"),
            None => is_own || inside && line.trim().is_empty(),
        };
        is_own && !line.trim().is_empty()
    };
    lines.iter().map(line).collect()
}

/// Whether a line has the form of a private key's body, as far as a quote, a comment or a list may hold it.
pub(super) fn is_body(line: &str) -> bool {
    let body = line.trim_matches(|c: char| c.is_whitespace() || "\"'`\\,|>#-".contains(c));
    body.chars().all(is_sign) || ["Proc-Type:", "DEK-Info:"].iter().any(|name| body.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::super::address::without_passwords;
    use super::*;

    /// A token of a service, written in two parts so that no scanner takes the test for one.
    fn of(start: &str, rest: &str) -> String {
        format!("{start}{rest}")
    }

    const LETTERS: &str = "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8";

    #[test]
    fn a_token_is_hidden_wherever_it_stands() {
        let json = of("eyJhbGciOiJIUzI1NiJ9", ".eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl");
        let mut tokens: Vec<String> =
            ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "hf_", "sk-", "sk-proj-"]
                .map(|start| of(start, LETTERS))
                .into();
        tokens.extend([json, of("eyJhbGciOiJub25lIn0", ".eyJzdWIiOiJhbm4ifQ."), of("AKIA", "IOSFODNN7EXAMPLE")]);
        tokens.extend([of("ASIA", "IOSFODNN7EXAMPLE"), of("xoxb-", "123456789012-abc"), of("xoxp-", "1234567890-abc")]);
        for token in tokens {
            for (text, want) in [
                (token.clone(), HIDDEN.to_owned()),
                (format!("Bearer {token}"), format!("Bearer {HIDDEN}")),
                (format!("a=\"{token}\", b"), format!("a=\"{HIDDEN}\", b")),
                (format!("/v1/{token}/x"), format!("/v1/{HIDDEN}/x")),
                (format!("{token}\n{token}"), format!("{HIDDEN}\n{HIDDEN}")),
            ] {
                assert_eq!(without_passwords(&text), want);
            }
        }
    }

    #[test]
    fn what_only_begins_as_a_token_is_shown() {
        let digest = "0123456789abcdef".repeat(4);
        for text in [
            format!("registry.example/shop@sha256:{digest}"),
            format!("sk-learn-iris-{digest}"),
            format!("risk-{LETTERS}"),
            format!("AKIA{LETTERS}"),
            "sk-learn-Iris-model-of-a-long-Name-v2".into(),
            "s3://hf_models/sklearn/1.0/model".into(),
            "gs://kfserving-examples/models/sklearn/1.0/model".into(),
            "hf://meta-llama/Llama-3.1-8B-Instruct".into(),
            "eyJ.a.b".into(),
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ".into(),
            "app.kubernetes.io/name: ghp_shop".into(),
            "/v2/models/xoxb/infer".into(),
            "hooks.slack.com".into(),
            "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUabcdefgh\n-----END CERTIFICATE-----".into(),
            "a file begins with -----BEGIN PRIVATE KEY----- and ends so".into(),
        ] {
            assert_eq!(without_passwords(&text), text);
        }
    }

    #[test]
    fn the_path_of_a_webhook_is_hidden() {
        let text =
            "see https://hooks.slack.com/services/T0/B0/abc and https://discord.com/api/webhooks/1/abc?wait=true";
        let want = "see https://hooks.slack.com/services/••••• and https://discord.com/api/webhooks/•••••?wait=true";
        assert_eq!(without_passwords(text), want);
        assert_eq!(without_passwords(want), want);
    }

    #[test]
    fn the_body_of_a_private_key_is_hidden() {
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQ\nEFAASCBKcwggSjAgEAAoIBAQC7";
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY"] {
            let (first, last) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
            for text in [
                format!("{first}\n{body}\n{last}\nmore: 1"),
                format!("{first}\\n{}\\n{last}\nmore: 1", body.replace('\n', "\\n")),
                format!("{first}\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A1B\n\n{body}\n{last}\nmore: 1"),
            ] {
                let shown = without_passwords(&text);
                assert!(shown.starts_with(&first) && shown.ends_with(&format!("{last}\nmore: 1")), "{shown}");
                assert!(shown.contains(HIDDEN) && !shown.contains("MII") && !shown.contains("EFAA"), "{shown}");
                assert_eq!(without_passwords(&shown), shown);
            }
            let cut_off = format!("cannot read {first} {}… of it", body.replace('\n', " "));
            assert_eq!(without_passwords(&cut_off), format!("cannot read {first} {HIDDEN}… of it"));
        }
    }

    #[test]
    fn only_the_lines_of_a_private_key_are_its_body() {
        let text = "a: |\n  -----BEGIN RSA PRIVATE KEY-----\n  Proc-Type: 4,ENCRYPTED\n\n  MIIE\n  x/+=\n  -----END RSA PRIVATE KEY-----\nb: 1\nMIIE";
        let lines: Vec<&str> = text.split('\n').collect();
        let want = [false, false, true, false, true, true, false, false, false];
        assert_eq!(bodies(&lines), want);
        let cut_off = ["-----BEGIN PRIVATE KEY-----", "MIIE", "b: 1", "MIIE"];
        assert_eq!(bodies(&cut_off), [false, true, false, false]);
        let of_another = ["-----BEGIN CERTIFICATE-----", "MIIE"];
        assert_eq!(bodies(&of_another), [false, false]);
    }
}
