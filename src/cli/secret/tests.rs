use proptest::prelude::*;

use super::*;

pub(super) fn shown_lines(text: &str) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    let line = |index: usize| match Lines::of(lines.clone()).visible(index) {
        Some(count) => lines[index].chars().take(count).chain(HIDDEN.chars()).collect(),
        None => lines[index].to_owned(),
    };
    (0..lines.len()).map(line).collect::<Vec<String>>().join("\n")
}

#[test]
fn a_secret_is_not_shown_wherever_its_key_stands_in_a_line() {
    for (text, want) in [
        ("  dbPassword: hunter2", "  dbPassword: •••••"),
        ("a: {nmae: x, password: y}", "a: {nmae: x, password: •••••"),
        ("a.nmae=1,a.password=y", "a.nmae=1,a.password=•••••"),
        ("a={\"api_key\":\"x\"}", "a={\"api_key\":•••••"),
        ("\"my secret key\": x", "\"my secret key\": •••••"),
        ("{name: DB_PASSWORD, value: x}", "{name: DB_PASSWORD, value: •••••"),
        ("{value: x, name: DB_PASSWORD}", "{value: •••••"),
        ("serving.kserve.io/secretKey: localMinIO", "serving.kserve.io/secretKey: localMinIO"),
        ("max_tokens: 512", "max_tokens: 512"),
        ("storageUri: s3://token/a, port: 80", "storageUri: s3://token/a, port: 80"),
        ("password:", "password:"),
        ("DB_PWD: x", "DB_PWD: •••••"),
        ("dbPass: x", "dbPass: •••••"),
        ("- authorization: Bearer x", "- authorization: •••••"),
        ("a={\"p\\u0061ssword\":\"x\"}", "a={\"p\\u0061ssword\":•••••"),
        ("\"to\\x6ben\": x", "\"to\\x6ben\": •••••"),
        ("tls: {mode: PASSTHROUGH, passthrough: x}", "tls: {mode: PASSTHROUGH, passthrough: x}"),
        ("image: \"https://me:x@host/a\"", "image: •••••"),
        ("uri: [s3://a, https://token@host]", "uri: [s3://a, •••••"),
        ("image: ssh://git@host/a:1", "image: ssh://git@host/a:1"),
        ("uri: https://host/a@b:c", "uri: https://host/a@b:c"),
        ("name: token-classifier", "name: token-classifier"),
    ] {
        assert_eq!(shown_lines(text), want);
        assert_eq!(shown(text), want);
    }
}

#[test]
fn no_line_below_a_secret_is_shown() {
    let text = "a:\n  password: |\n    one\n\n    two: 2\n  port: 80\ntokens:\n- abc\n- k: v\nb: 1";
    let want = "a:\n  password: •••••\n    •••••\n\n    •••••\n  port: 80\ntokens:\n•••••\n•••••\nb: 1";
    assert_eq!(shown_lines(text), want);
}

#[test]
fn a_key_with_a_question_mark_hides_its_value() {
    let text = "- ? password\n  : x\n- ? |\n    token\n  : - y\n    - z\n- ? name\n  : a";
    let want = "- ? password\n  : •••••\n- ? |\n    token\n  : •••••\n    •••••\n- ? name\n  : a";
    assert_eq!(shown_lines(text), want);
}

#[test]
fn a_secret_is_not_shown_where_its_line_is_no_yaml() {
    assert_eq!(shown_lines("a:\n  tokens:\n - x\n  - y\nb: 1"), "a:\n  tokens:\n •••••\n  •••••\nb: 1");
    assert_eq!(shown_lines("  apiToken hunter2"), "  apiToken •••••");
    assert_eq!(shown_lines("- password : x"), "- password : •••••");
}

#[test]
fn a_key_beside_a_secret_is_shown() {
    let text = "- password: x\n  name: y\n- name: z";
    assert_eq!(shown_lines(text), "- password: •••••\n  name: y\n- name: z");
}

#[test]
fn the_value_of_an_environment_variable_that_is_a_secret_is_not_shown() {
    let text = "env:\n- name: DB_PASSWORD\n  value: x\n- value: y\n  name: API_TOKEN\n- name: A\n  value: z";
    let want = "env:\n- name: DB_PASSWORD\n  value: •••••\n- value: •••••\n  name: API_TOKEN\n- name: A\n  value: z";
    assert_eq!(shown_lines(text), want);
}

#[test]
fn what_a_message_quotes_can_be_hidden() {
    assert_eq!(without_quotes("key `2]` has no value"), "key `•••••` has no value");
    assert_eq!(without_quotes("`[` is not closed by `]`"), "`[` is not closed by `]`");
}

#[test]
fn texts_of_a_document_show_no_password_of_an_address() {
    let document = serde_json::json!({"why": ["cannot pull https://me:pass@host/model"], "code": 1});
    let expected = serde_json::json!({"why": ["cannot pull https://•••••@host/model"], "code": 1});
    assert_eq!(masked(document), expected);
}

#[test]
fn a_private_key_is_not_shown_line_by_line() {
    let text = "a:\n  - |\n    -----BEGIN RSA PRIVATE KEY-----\n    MIIE\n    token=\n    -----END RSA PRIVATE KEY-----\n  b: 1\nMIIE";
    let want = "a:\n  - |\n    -----BEGIN RSA PRIVATE KEY-----\n    •••••\n    •••••\n    -----END RSA PRIVATE KEY-----\n  b: 1\nMIIE";
    assert_eq!(shown_lines(text), want);
    assert_eq!(shown(text), want);
}

#[test]
fn a_token_is_not_shown_whatever_its_key() {
    let token = format!("ghp_{}", "0123456789".repeat(4));
    assert_eq!(shown_lines(&format!("  a: [b, {token}]")), "  a: [b, •••••");
    assert_eq!(shown(&format!("a=\"Bearer {token}\"")), "a=\"Bearer •••••");
}

#[test]
fn a_path_with_a_colon_is_no_key() {
    for text in [
        "- uri: {exact: /v1/models/token-model:predict}",
        "      exact: \"/v1/models/secret:predict\"",
        "storageUri: s3://models/token:1",
    ] {
        assert_eq!(shown_lines(text), text);
        assert_eq!(shown(text), text);
    }
    assert_eq!(shown("my/token: x"), "my/token: •••••");
    assert_eq!(shown("{\"my/token\":\"x\"}"), "{\"my/token\":•••••");
}

/// Texts of what the masks look at.
const TEXT: &str = "([a-z]|é|•|[=:;&?/@#%.\"'`\\\\ \\[\\]{}(),-]|\n|token|KEY|name: |value: |https?://|eyJhbGciOiJI|ghp_0123456789abcdefghij|sk-|hooks.slack.com/services/|-----BEGIN PRIVATE KEY-----|-----END|--password|-u |@tcp\\(|Basic |SG\\.|session){0,20}";

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in TEXT, other in TEXT) {
        let count = text.split('\n').count();
        let lines = Lines::of(text.split('\n').collect());
        for index in 0..=count {
            lines.visible(index);
        }
        shown(&text);
        without_secrets(&text);
        let object = |text: &str| serde_json::json!({"a": text, "args": [text, text], "queryParams": {text: {"exact": text}}});
        hidden(&crate::diff::Pair::new(Some(&object(&text)), Some(&object(&other))));
    }

    #[test]
    fn what_a_secret_is_hidden_from_is_shown_whole(before in "[a-z/?&;]{0,9}[?&; ]", behind in "(&[b-d]{1,5}=[a-z]{1,5})?") {
        let text = format!("/{before}token=HUNTER2{behind}");
        prop_assert_eq!(without_secrets(&text), format!("/{before}token=•••••{behind}"));
    }
}
