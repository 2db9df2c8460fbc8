//! Case folders: `testdata/render/**/values.yaml` beside `want.yaml` or `want.err`, and `args` where the case needs flags.
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
    let (file, printed) = if output.status.success() {
        ("want.yaml", String::from_utf8(output.stdout)?)
    } else {
        assert!(output.stdout.is_empty(), "a refused release prints nothing on stdout");
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        ("want.err", String::from_utf8(output.stderr)?)
    };
    let other = if file == "want.yaml" { "want.err" } else { "want.yaml" };
    assert!(!folder.join(other).exists(), "{other} is there, but r8 wrote {file}:\n{printed}");
    let want = folder.join(file);
    Assert::new().action_env("SNAPSHOTS").eq(printed, Data::read_from(&want, None).raw());
    Ok(())
}

datatest_stable::harness! {
    { test = case, root = "testdata/render", pattern = r"values\.yaml$" },
}
