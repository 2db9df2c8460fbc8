//! The forms of what `validate` and `diff` have found: `testdata/outputs/*/args` beside what r8 prints in each form, and what the reader
//! of each form makes of it.
//!
//! | file | what |
//! |---|---|
//! | `args` | the words behind `r8` |
//! | `want.err` | what people read on stderr, with the exit code in its first line |
//! | `want.json`, `want.md`, `want.github`, `want.gitlab.json`, `want.junit.xml`, `want.sarif` | the forms |
//!
//! `SNAPSHOTS=overwrite cargo test --test outputs` writes what r8 prints now; read it before you commit it.
//!
//! What is proven by what stands in `tests/outputs/readers.rs`.

#[path = "outputs/readers.rs"]
mod readers;

use std::path::Path;
use std::process::Command;

use readers::{Read, Told};
use snapbox::{Assert, Data};

/// Form, file, and the reader that proves it.
type Reader = fn(&str) -> Read;
const FORMS: [(&str, &str, Reader); 6] = [
    ("json", "want.json", readers::json),
    ("markdown", "want.md", readers::markdown),
    ("github", "want.github", readers::github),
    ("gitlab", "want.gitlab.json", readers::gitlab),
    ("junit", "want.junit.xml", readers::junit),
    ("sarif", "want.sarif", readers::sarif),
];

fn case(args: &Path) -> datatest_stable::Result<()> {
    let folder = args.parent().ok_or("a case has a folder")?;
    let args = std::fs::read_to_string(args)?;
    let compare = |file: &str, printed: &str| {
        let want = Data::read_from(&folder.join(file), None).raw();
        Assert::new().action_env("SNAPSHOTS").eq(printed.to_owned(), want);
    };
    let is_diff = args.starts_with("diff ");
    let mut read = Vec::new();
    let mut told = None;
    for (form, file, reader) in FORMS {
        let output = Command::new(env!("CARGO_BIN_EXE_r8"))
            .current_dir(folder)
            .env_clear()
            .env("HELM_NAMESPACE", "default")
            .args(args.split_whitespace())
            .args(["-o", form])
            .output()?;
        let (stdout, stderr) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
        compare(file, &stdout.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
        let code = output.status.code().ok_or("r8 was killed")?;
        if form == "github" {
            assert_eq!(stderr, "", "the log has the annotations already");
        } else {
            let for_people = format!("exit code {code}\n{stderr}");
            assert_eq!(told.get_or_insert(for_people.clone()), &for_people, "{form}");
        }
        read.push((form, reader(&stdout)));
    }
    let told = told.unwrap_or_default();
    compare("want.err", &told);
    let told = Told::parse(&told, is_diff);
    for (form, read) in &read {
        told.compare(form, read);
    }
    Ok(())
}

datatest_stable::harness! {
    { test = case, root = "testdata/outputs", pattern = r"args$" },
}
