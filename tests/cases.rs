//! Case folders: `testdata/render/**/values.yaml` beside what r8 makes of it.
//!
//! | file | when |
//! |---|---|
//! | `args` | the case needs flags |
//! | `want.yaml` | stdout of a release that is rendered; not needed beside `want.warn` |
//! | `want.warn` | its stderr; a case without one must warn of nothing |
//! | `want.err` | stderr of a release that is refused |
//!
//! `SNAPSHOTS=overwrite cargo test --test cases` writes what r8 prints now; read it before you commit it.

use std::path::Path;
use std::process::Command;

use snapbox::{Assert, Data};

fn case(values: &Path) -> datatest_stable::Result<()> {
    let folder = values.parent().ok_or("a case has a folder")?;
    let args = std::fs::read_to_string(folder.join("args")).unwrap_or_default();
    let output = Command::new(env!("CARGO_BIN_EXE_r8"))
        .current_dir(folder)
        .env_clear()
        .env("HELM_NAMESPACE", "default")
        .args(["render", "-f", "values.yaml"])
        .args(args.split_whitespace())
        .output()?;
    let (stdout, stderr) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    let there = |file: &str| folder.join(file).exists();
    let compare = |file: &str, printed: &str| {
        let want = Data::read_from(&folder.join(file), None).raw();
        Assert::new().action_env("SNAPSHOTS").eq(printed.to_owned(), want);
    };
    if output.status.success() {
        assert!(!there("want.err"), "want.err is there, but r8 rendered:\n{stdout}");
        if there("want.warn") {
            compare("want.warn", &stderr);
        } else {
            assert!(!stderr.contains("warning: "), "there is no want.warn, but r8 wrote:\n{stderr}");
        }
        if there("want.yaml") || !there("want.warn") {
            compare("want.yaml", &stdout);
        }
        return Ok(());
    }
    assert!(stdout.is_empty(), "a refused release prints nothing on stdout");
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    for file in ["want.yaml", "want.warn"] {
        assert!(!there(file), "{file} is there, but r8 refused:\n{stderr}");
    }
    compare("want.err", &stderr);
    Ok(())
}

datatest_stable::harness! {
    { test = case, root = "testdata/render", pattern = r"values\.yaml$" },
}
