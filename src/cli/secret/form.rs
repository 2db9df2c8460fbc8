//! Values that are known by their form, whatever their key: tokens of JSON, the tokens of well known services, webhooks.

use super::HIDDEN;

/// The fewest characters of the longest part of a token of many parts.
const SHORTEST_PART: usize = 16;

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
    /// Two parts as those of an address, with a `.` between them, each of at least the fewest.
    Parts,
}

/// Beginnings of tokens, the fewest characters behind them, and which ones.
const TOKENS: [(&str, usize, Signs); 24] = [
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
    ("sk_live_", 16, Signs::Alphanumeric),
    ("sk_test_", 16, Signs::Alphanumeric),
    ("rk_live_", 16, Signs::Alphanumeric),
    ("rk_test_", 16, Signs::Alphanumeric),
    ("npm_", 30, Signs::Alphanumeric),
    ("pypi-AgE", 16, Signs::Url),
    ("pypi-", 32, Signs::Mixed),
    ("SG.", 16, Signs::Parts),
    ("AIza", 35, Signs::Url),
    ("AGE-SECRET-KEY-", 20, Signs::Alphanumeric),
    ("AKIA", 16, Signs::Capital),
    ("ASIA", 16, Signs::Capital),
];

/// Addresses whose path lets anybody write who knows it.
const WEBHOOKS: [&str; 6] = [
    "hooks.slack.com/services/",
    "hooks.slack.com/workflows/",
    "hooks.slack.com/triggers/",
    "discord.com/api/webhooks/",
    "discordapp.com/api/webhooks/",
    "webhook.office.com/webhookb2/",
];

/// Where the first token of JSON or of a well known service is in a text, or the path of a webhook, in bytes.
pub(super) fn token(text: &str) -> Option<(usize, usize)> {
    let (mut before, mut known) = (b' ', Known::default());
    text.bytes().enumerate().find_map(|(at, byte)| {
        let starts = !before.is_ascii_alphanumeric();
        before = byte;
        // Most characters begin none.
        let begins_one =
            matches!(byte, b'A' | b'S' | b'd' | b'e' | b'g' | b'h' | b'n' | b'p' | b'r' | b's' | b'w' | b'x');
        if !starts || !begins_one {
            return None;
        }
        let rest = text.get(at..)?;
        let webhook = WEBHOOKS.iter().find(|webhook| rest.starts_with(**webhook)).and_then(|webhook| {
            let path = rest.get(webhook.len()..)?;
            let length = path.find(|c: char| c.is_whitespace() || "\"'`\\?#<>".contains(c)).unwrap_or(path.len());
            let shown = at + webhook.len();
            (length > 0 && !path.starts_with(HIDDEN)).then_some((shown, shown + length))
        });
        webhook.or_else(|| Some((at, known.of_json(text, at).or_else(|| known.of_service(text, at))?)))
    })
}

/// What was seen of a text from the places before: a long text is read once, also where many tokens seem to begin.
#[derive(Default)]
struct Known {
    /// The end of the characters that a token of JSON may have.
    end: usize,
    /// The first and the second `.` among them; their end where none is.
    dots: (usize, usize),
    /// Up to where no part is random.
    barren: usize,
}

impl Known {
    /// The end of a token of JSON: three parts, the first of which begins as `{"` does in Base64.
    fn of_json(&mut self, text: &str, at: usize) -> Option<usize> {
        let is_sign = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let rest = text.get(at..).filter(|rest| rest.starts_with("eyJ"))?;
        let mut is_new = false;
        if self.end <= at {
            self.end = at + rest.find(|c| !is_sign(c)).unwrap_or(rest.len());
            is_new = true;
        }
        let end = self.end;
        let dot = |from: usize| text.get(from..end).and_then(|part| part.find('.')).map_or(end, |dot| from + dot);
        if is_new || self.dots.0 < at {
            let first = if is_new || self.dots.1 < at { dot(at) } else { self.dots.1 };
            self.dots = (first, if first < end { dot(first + 1) } else { end });
        }
        let (header, claims) = (self.dots.0 - at, self.dots.1.saturating_sub(self.dots.0 + 1));
        (self.dots.1 < end && header > 10 && claims > 3).then_some(end)
    }

    /// The end of a token of a service.
    fn of_service(&mut self, text: &str, at: usize) -> Option<usize> {
        TOKENS.iter().find_map(|(start, fewest, signs)| {
            let from = at + start.len();
            let rest = text.get(at..)?.strip_prefix(start)?;
            if matches!(signs, Signs::Mixed) && from <= self.barren {
                return None;
            }
            let length = rest.find(|c| !signs.has(c)).unwrap_or(rest.len());
            let token = rest.get(..length)?;
            let behind = rest.get(length..)?;
            match signs {
                Signs::Capital => length == *fewest && !behind.starts_with(|c: char| c.is_ascii_alphanumeric()),
                Signs::Mixed => {
                    let is_random = token.split(['-', '_']).any(is_random);
                    if !is_random {
                        self.barren = from + length;
                    }
                    length >= *fewest && is_random
                }
                Signs::Parts => {
                    let second = behind.strip_prefix('.').unwrap_or_default();
                    let second = second.find(|c| !signs.has(c)).unwrap_or(second.len());
                    let is_token = length >= *fewest && second >= *fewest;
                    return is_token.then_some(from + length + 1 + second);
                }
                _ => length >= *fewest,
            }
            .then_some(from + length)
        })
    }
}

impl Signs {
    fn has(self, c: char) -> bool {
        match self {
            Signs::Alphanumeric => c.is_ascii_alphanumeric(),
            Signs::Word => c.is_ascii_alphanumeric() || c == '_',
            Signs::Url | Signs::Mixed | Signs::Parts => c.is_ascii_alphanumeric() || matches!(c, '_' | '-'),
            Signs::Capital => c.is_ascii_uppercase() || c.is_ascii_digit(),
        }
    }
}

/// Whether a part of a token is no word.
fn is_random(part: &str) -> bool {
    let has = |of: fn(&u8) -> bool| part.bytes().any(|byte| of(&byte));
    let letters = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    part.len() >= SHORTEST_PART && letters && has(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::address::without_passwords;
    use super::*;

    proptest! {
        #[test]
        fn what_is_known_from_before_finds_what_a_fresh_look_finds(
            text in "(eyJ|eyJhbGciOiJI|abcd|\\.|-|_|sk-|pypi-|SG\\.|A1b2C3d4E5f6G7h8| ){0,16}"
        ) {
            let starts = |at: usize| at == 0 || !text.as_bytes()[at - 1].is_ascii_alphanumeric();
            let fresh = |at: usize| Known::default().of_json(&text, at).or_else(|| Known::default().of_service(&text, at));
            let found = (0..text.len()).filter(|at| starts(*at)).find_map(|at| Some((at, fresh(at)?)));
            prop_assert_eq!(token(&text), found);
        }
    }

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
        tokens.extend(
            ["sk_live_", "rk_live_", "npm_", "pypi-", "AIza", "AGE-SECRET-KEY-1"].map(|start| of(start, LETTERS)),
        );
        tokens.extend([of("SG.", &format!("{}.{LETTERS}", &LETTERS[..22])), of("pypi-AgEI", &LETTERS[..16])]);
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
            format!("task_live_{LETTERS}"),
            "npm_config_registry".into(),
            "pypi-server-of-the-models-team-in-europe".into(),
            "SG.a.b".into(),
            format!("SG.{LETTERS}"),
            "AIza-of-the-models".into(),
            "AGE-SECRET-KEY-FILE".into(),
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
        let text = "see https://hooks.slack.com/services/T0/B0/abc and https://discord.com/api/webhooks/1/abc?wait=true \
             https://hooks.slack.com/triggers/T0/1/abc https://a.webhook.office.com/webhookb2/a@b/IncomingWebhook/c";
        let want = "see https://hooks.slack.com/services/••••• and https://discord.com/api/webhooks/•••••?wait=true \
                    https://hooks.slack.com/triggers/••••• https://a.webhook.office.com/webhookb2/•••••";
        assert_eq!(without_passwords(text), want);
        assert_eq!(without_passwords(want), want);
    }
}
