//! The README cannot lie: its reference of values is made from the key tables, its console blocks are run, its files are
//! those of the repository, its recipes are followed. Its commands for a cluster are run by `tests/kubectl_wait.rs`.
//!
//! `SNAPSHOTS=overwrite cargo test --test readme` writes the reference anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use r8::templates::{Catalog, Form, KeyRule};

const BEGIN: &str = "<!-- reference: begin -->\n";
const END: &str = "<!-- reference: end -->\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The text of every fenced block with this info string.
fn blocks(info: &str) -> Vec<String> {
    let text = readme();
    let parts: Vec<&str> = text.split("```").collect();
    let body = |part: &&str| part.strip_prefix(info)?.strip_prefix('\n').map(str::to_owned);
    parts.iter().skip(1).step_by(2).filter_map(body).collect()
}

/// What stands between two headings.
fn section(heading: &str) -> String {
    let text = readme();
    let (_, behind) = text.split_once(&format!("## {heading}\n")).unwrap();
    behind.split("\n## ").next().unwrap().to_owned()
}

#[test]
fn the_reference_of_values_is_that_of_the_key_tables() {
    let text = readme();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    let expected = reference();
    if std::env::var("SNAPSHOTS").is_ok_and(|value| value == "overwrite") {
        fs::write(root().join("README.md"), format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
    } else {
        assert_eq!(found, expected);
    }
}

#[test]
fn console_blocks() {
    trycmd::TestCases::new().env("HELM_NAMESPACE", "default").case("README.md");
}

#[test]
fn the_commands_of_pipelines_are_commands() {
    let jobs: Vec<String> = blocks("yaml").into_iter().filter(|block| block.starts_with("# .git")).collect();
    let commands: Vec<&str> = jobs
        .iter()
        .flat_map(|job| job.lines())
        .filter_map(|line| line.split_once("r8 ").map(|(_, rest)| rest.split(" > ").next().unwrap()))
        .collect();
    assert_eq!((jobs.len(), commands.len()), (3, 8));
    for command in commands {
        let words = command.split(' ').chain(["--help"]);
        let output = Command::new(env!("CARGO_BIN_EXE_r8")).args(words).output().unwrap();
        assert!(output.status.success(), "r8 {command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_pipeline_has_r8_and_a_kubeconfig_before_it_runs_r8() {
    // A review of a pull request asks no cluster.
    let deploys = |block: &String| block.starts_with("# .git") && block.contains("r8 apply ");
    let jobs: Vec<String> = blocks("yaml").into_iter().filter(deploys).collect();
    assert_eq!(jobs.len(), 2);
    for job in jobs {
        let (before, _) = job.split_once("r8 diff ").unwrap();
        let lines = || before.lines().map(str::trim_start);
        assert!(
            lines().any(|line| line.trim_start_matches("- ").trim_start_matches("run: ").starts_with("cargo install ")),
            "{job}"
        );
        assert!(before.contains("KUBECONFIG"), "{job}");
    }
}

#[test]
fn each_exit_code_is_explained_once() {
    let text = readme();
    let codes: Vec<&str> = ["0", "1", "2", "3", "4", "5", "6", "130"].to_vec();
    let rows: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | "))
        .map(|(code, _)| code)
        .filter(|code| codes.contains(code))
        .collect();
    assert_eq!(rows, codes);
}

#[test]
fn the_recipe_for_an_environment_can_be_followed() {
    let folder = tempfile::tempdir().unwrap();
    // trycmd runs a transcript in the folder of its name.
    let files = folder.path().join("recipe.in");
    let mut written = 0;
    for block in blocks("yaml") {
        let (name, text) = block.split_once('\n').unwrap();
        let name = name.strip_prefix("# ").expect("the first line of a file names it");
        if name.starts_with("testdata/") || name.starts_with(".git") {
            continue;
        }
        let path = files.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        written += 1;
    }
    assert_eq!(written, 3);
    let [transcript] = blocks("console,ignore").try_into().unwrap();
    let recipe = folder.path().join("recipe.md");
    fs::write(&recipe, format!("```console\n{transcript}```\n")).unwrap();
    trycmd::TestCases::new().env("HELM_NAMESPACE", "default").case(recipe);
}

#[test]
fn the_files_shown_are_those_of_the_repository() {
    let mut shown = 0;
    for block in blocks("yaml") {
        let (name, text) = block.split_once('\n').unwrap();
        if let Some(path) = name.strip_prefix("# testdata/") {
            assert_eq!(fs::read_to_string(root().join("testdata").join(path)).unwrap(), text);
            shown += 1;
        }
    }
    assert_eq!(shown, 4);
}

#[test]
fn every_file_and_case_that_is_named_exists() {
    let text = readme();
    let quoted: BTreeSet<&str> = text.split('`').skip(1).step_by(2).collect();
    let folder = |name: &str| -> Option<PathBuf> {
        if name.starts_with('q') && name.get(1..3)?.chars().all(|digit| digit.is_ascii_digit()) {
            return Some(root().join("testdata/render/quirks").join(name));
        }
        let is_file = ["src/", "tests/", "testdata/", "templates/"].iter().any(|start| name.starts_with(start));
        // A place has a line and a column behind its file.
        let file = name.split(':').next()?;
        (is_file && !name.contains("ENVIRONMENT")).then(|| root().join(file))
    };
    let named: Vec<PathBuf> = quoted.into_iter().filter_map(folder).collect();
    let missing: Vec<&PathBuf> = named.iter().filter(|path| !path.exists()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(named.len() > 20, "{} files and cases are named", named.len());
}

#[test]
fn every_difference_from_the_chart_is_named_with_its_case() {
    let section = section("Differences from the chart, and why");
    let folders = fs::read_dir(root().join("testdata/render/quirks")).unwrap();
    let cases = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut missing: Vec<String> = cases.filter(|case| !section.contains(&format!("`{case}`"))).collect();
    missing.sort();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn the_version_of_rust_is_that_of_the_package() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    assert!(section("Install").contains(&format!("Rust {version} or later")), "{version}");
}

#[test]
fn every_module_is_in_the_table() {
    let library = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let modules: BTreeSet<&str> =
        library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let table = section("Modules");
    let rows: BTreeSet<&str> = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(rows, modules);
}

#[test]
fn the_objects_of_named_versions_stay_when_entries_are_reordered() {
    let render = |order: &str| {
        let values = "environment=kserve-standard,application.metadata.name=wisdom,application.strategy=blue-green,\
                      application.modelFormat=sklearn";
        let set_json = format!("application.versions=[{order}]");
        let only = ["--only", "versions", "--only", "support"];
        let output = Command::new(env!("CARGO_BIN_EXE_r8"))
            .args(["render", "-n", "models", "--set", values, "--set-json", &set_json])
            .args(only)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        // The role in the `# Source:` line is a comment.
        let document = |text: &str| text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
        text.split("---\n").map(document).collect::<BTreeSet<String>>()
    };
    let version = |name: &str| format!(r#"{{"metadata":{{"name":"{name}"}},"storageUri":"s3://{name}"}}"#);
    let (first, second) = (version("one"), version("two"));
    let documents = render(&format!("{first},{second}"));
    assert!(documents.len() > 4, "{documents:?}");
    assert_eq!(render(&format!("{second},{first}")), documents);
}

/// Every key of every environment with type, default, environments and purpose.
fn reference() -> String {
    let catalog = Catalog::embedded();
    let names = catalog.names();
    let mut rows: Vec<(String, KeyRule, Vec<&str>)> = Vec::new();
    for name in &names {
        for (key, rule) in catalog.environment(name).unwrap().table.keys {
            let same = |row: &&mut (String, KeyRule, Vec<&str>)| {
                row.0 == key && row.1.doc == rule.doc && row.1.form == rule.form && row.1.default == rule.default
            };
            match rows.iter_mut().find(same) {
                Some(row) => row.2.push(name),
                None => rows.push((key, rule, vec![name])),
            }
        }
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let mut text = String::from("| key | type | default | environments | what |\n|---|---|---|---|---|\n");
    for (key, rule, environments) in rows {
        let default = rule.default.map_or_else(String::new, |value| format!("`{value}`"));
        let environments = if environments.len() == names.len() { "all".to_owned() } else { environments.join(", ") };
        let needed = match (&rule.required, &rule.required_unless) {
            (true, _) => " (required)".to_owned(),
            (_, Some(unless)) => format!(" (required unless `{unless}`)"),
            _ => String::new(),
        };
        writeln!(text, "| `{key}` | {} | {default} | {environments} | {}{needed} |", form(rule.form), rule.doc)
            .unwrap();
    }
    text
}

fn form(form: Form) -> String {
    serde_json::to_value(form).unwrap().as_str().unwrap().replace('-', " ")
}
