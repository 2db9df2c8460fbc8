use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn no_line_sounds_secret_in_a_text_that_cannot(
        text in "(max_?|To-?ken|db_?|pass|\\\\x77ord|word|izer|secret|KEY|%4BEY|_PAT|web|hook|Name|Key|ssh|PW|pw|jwt|auths|file|Through|by|max|eos|ids?|[./-]| |:|\n|\\\\){0,12}"
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
        "sshKey",
        "--ssh-key",
        "masterKey",
        "--master-key",
        "rsaKey",
        "hmacKey",
        "client-key-data",
        "auths",
        "--pw",
        "DB_PW",
        "dbPw",
        "--jwt",
        "SHOP_JWT",
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

#[test]
fn a_token_of_a_text_is_no_secret() {
    for name in [
        "--max-num-batched-tokens",
        "--num-speculative-tokens",
        "--max-total-tokens",
        "--max-input-tokens",
        "--max-batch-prefill-tokens",
        "--max-model-output-tokens",
        "--tokens-per-block",
        "--eos-token-id",
        "--stop-token-ids",
        "--special-tokens-map",
        "VLLM_MAX_NUM_BATCHED_TOKENS",
        "MAX_NEW_TOKENS",
        "maxNewTokens",
        "NUM_TOKENS",
        "EOS_TOKEN_ID",
        "eosTokenId",
        "stopTokenIDs",
        "PAD_TOKEN",
        "TOKEN_LIMIT",
        "application.versions[0].max_new_tokens",
    ] {
        assert!(!sounds_secret(name), "{name}");
    }
    for name in [
        "tokens",
        "token",
        "API_TOKEN",
        "HF_TOKEN",
        "token_secret",
        "MAX_TOKEN_SECRET",
        "INPUT_TOKEN",
        "NEW_TOKEN",
        "SPECIAL_TOKEN",
        "new.tokens",
        "max: 5, tokens",
        "tokens-of-block",
        "eos-password",
        "PASSWORD_LIMIT",
        "secret-id",
    ] {
        assert!(sounds_secret(name), "{name}");
    }
}

#[test]
fn what_only_refers_to_a_secret_does_not_sound_so() {
    for name in [
        "--token-file",
        "--secret-file",
        "PASSWORD_FILE",
        "passwordFiles",
        "TOKEN_PATH",
        "tokenpath",
        "SSH_KEY_PATH",
        "--oidc-token-url",
        "OAUTH_TOKEN_URL",
        "tokenEndpoint",
        "DB_PASS_FILE",
        "PASS_THROUGH",
        "ssl-pass-through",
        "passThrough",
        "BY_PASS",
        "bypass",
        "checksum/secret",
        "checksum/registry-token",
        "nginx.ingress.kubernetes.io/auth-secret",
    ] {
        assert!(!sounds_secret(name), "{name}");
    }
    for name in [
        "FILE_PASSWORD",
        "file-token",
        "path.to.secret",
        "secret.file",
        "credentials.url",
        "SLACK_WEBHOOK_URL",
        "filePass",
        "DB_PASS",
        "PASS",
        "secret/checksum",
        "secretMap",
        "token-file: /a, password",
        "nginx.ingress.kubernetes.io/secret",
    ] {
        assert!(sounds_secret(name), "{name}");
    }
}

#[test]
fn a_cookie_of_a_session_sounds_so() {
    for name in
        ["session", " .*session", "^(.*; )?user_session", "[s]ession", "connect.sid", "SESS", "Ss]ession", "sess\\s*"]
    {
        assert!(sounds_like_session(name), "{name}");
    }
    for name in ["user", "--session", "session-affinity", "inside", "cookie", ""] {
        assert!(!sounds_like_session(name), "{name}");
    }
}
