//! Words and exit codes of the command line: `testdata/cli`.

#[test]
fn transcripts() {
    trycmd::TestCases::new().env("HELM_NAMESPACE", "default").env("RUST_BACKTRACE", "1").case("testdata/cli/*.md");
}
