//! Cases of the values stage: `testdata/values/<case>/` with files `1.yaml`, `2.yaml`, … in their order, `args` with one flag and
//! its argument per line, and what they make: `want.json`, or `want.err` with its warnings; `want.warn` beside `want.json` where
//! something warns.
//!
//! `SNAPSHOTS=overwrite cargo test --test values` writes what r8 makes now; read it before you commit it.

use std::fmt::Write as _;
use std::path::Path;

use r8::values::{Origin, Source, SourceName, load, set_file_paths};
use snapbox::{Assert, Data};

fn case(want: &Path) -> datatest_stable::Result<()> {
    let folder = want.parent().ok_or("a case has a folder")?;
    let sources = sources(folder)?;
    let mut written = String::new();
    let file = match load(&sources) {
        Ok(values) => {
            let mut warnings = String::new();
            for warning in values.warnings() {
                writeln!(warnings, "warning: {warning}\n  --> {}", place(&sources, warning.origin()))?;
            }
            let known = std::fs::read_to_string(folder.join("want.warn")).unwrap_or_default();
            assert_eq!(warnings.trim_end(), known.trim_end(), "want.warn of {}", folder.display());
            writeln!(written, "{}", serde_json::to_string_pretty(&values.root().to_json())?)?;
            "want.json"
        }
        Err(errors) => {
            for warning in &errors.warnings {
                writeln!(written, "warning: {warning}\n  --> {}", place(&sources, warning.origin()))?;
            }
            for error in &errors.errors {
                writeln!(written, "error: {error}\n  --> {}", place(&sources, error.origin()))?;
                if let Some(hint) = error.hint() {
                    writeln!(written, "hint: {hint}")?;
                }
            }
            "want.err"
        }
    };
    assert!(want.ends_with(file), "{file} is what r8 makes, not {}:\n{written}", want.display());
    Assert::new().action_env("SNAPSHOTS").eq(written, Data::read_from(want, None).raw());
    Ok(())
}

/// The files in the order of their names, then the flags as they stand.
fn sources(folder: &Path) -> datatest_stable::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for number in 1.. {
        let name = format!("{number}.yaml");
        let Ok(text) = std::fs::read_to_string(folder.join(&name)) else { break };
        sources.push(Source { name: SourceName::File(name), text });
    }
    let args = std::fs::read_to_string(folder.join("args")).unwrap_or_default();
    for (index, line) in args.lines().enumerate() {
        let (flag, text) = line.split_once(' ').unwrap_or((line, ""));
        let number = index + 1;
        let name = match flag {
            "--set" => SourceName::Set(number),
            "--set-string" => SourceName::SetString(number),
            "--set-json" => SourceName::SetJson(number),
            "--set-literal" => SourceName::SetLiteral(number),
            "--set-file" => {
                let paths = set_file_paths(text).map_err(|error| error.to_string())?;
                let read = |path: String| Ok((path.clone(), std::fs::read_to_string(folder.join(path))?));
                SourceName::SetFile(number, paths.into_iter().map(read).collect::<std::io::Result<_>>()?)
            }
            _ => return Err(format!("args: unknown flag {flag}").into()),
        };
        sources.push(Source { name, text: text.to_owned() });
    }
    Ok(sources)
}

fn place(sources: &[Source], origin: Origin) -> String {
    let name = match &sources[origin.source as usize].name {
        SourceName::File(name) => name.clone(),
        SourceName::Stdin => "stdin".into(),
        SourceName::Set(number) => format!("--set #{number}"),
        SourceName::SetString(number) => format!("--set-string #{number}"),
        SourceName::SetJson(number) => format!("--set-json #{number}"),
        SourceName::SetFile(number, _) => format!("--set-file #{number}"),
        SourceName::SetLiteral(number) => format!("--set-literal #{number}"),
    };
    format!("{name}:{}:{}", origin.line, origin.column)
}

datatest_stable::harness! {
    { test = case, root = "testdata/values", pattern = r"want\.(json|err)$" },
}
