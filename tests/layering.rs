//! The layers of `src/`: who may use whom. A module may use what its row names, and nothing else.

#[path = "parts/files.rs"]
mod files;

use std::fs;
use std::path::Path;

use files::files;

/// Module, the modules it may use, the outside crates it may use (besides `std`, `thiserror` and `serde_json`).
const LAYERS: &[(&str, &[&str], &[&str])] = &[
    ("scalar", &[], &[]),
    ("parallel", &[], &[]),
    ("re2", &[], &["regex_lite"]),
    ("findings", &[], &[]),
    ("values", &["scalar"], &["serde", "indexmap", "granit_parser"]),
    ("manifest", &["scalar", "parallel"], &["serde", "indexmap", "granit_parser", "serde_saphyr"]),
    ("templates", &["values"], &["serde", "indexmap", "serde_saphyr", "similar", "regex_lite"]),
    ("route", &["manifest", "re2"], &[]),
    ("diff", &["manifest"], &["similar"]),
    ("readiness", &[], &[]),
    ("record", &["manifest"], &["serde", "flate2", "base64"]),
    ("plan", &["manifest", "route", "diff", "readiness", "parallel"], &[]),
    ("spec", &["values", "templates", "re2"], &["serde", "regex_lite", "similar"]),
    ("schema", &["spec", "templates"], &[]),
    ("render", &["spec", "templates", "manifest", "route", "parallel"], &["serde", "minijinja"]),
    ("target", &["values", "templates", "spec", "manifest", "route"], &["serde", "serde_saphyr"]),
    (
        "cluster",
        &["manifest", "route", "plan", "readiness", "record"],
        &["kube", "k8s_openapi", "futures_util", "http", "tokio", "tower"],
    ),
    (
        "cli",
        &[
            "findings",
            "values",
            "templates",
            "spec",
            "render",
            "manifest",
            "route",
            "diff",
            "readiness",
            "record",
            "plan",
            "schema",
            "target",
            "cluster",
            "parallel",
        ],
        &[
            "clap",
            "clap_complete",
            "clap_mangen",
            "anyhow",
            "regex_lite",
            "serde",
            "serde_saphyr",
            "signal_hook",
            "terminal_size",
            "tokio",
            "futures_util",
            "unicode_width",
        ],
    ),
    ("main", &["cli"], &["r8"]),
];

#[test]
fn no_module_uses_a_later_stage() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut faults = Vec::new();
    for file in files(&root) {
        let relative = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let module = relative.split(['/', '.']).next().unwrap().to_owned();
        if module == "lib" {
            continue;
        }
        let Some((_, modules, crates)) = LAYERS.iter().find(|(name, ..)| *name == module) else {
            faults.push(format!("src/{relative}: `{module}` is in no layer"));
            continue;
        };
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            let code = line.split("//").next().unwrap();
            for used in names_after(code, "crate::") {
                if used != module && !modules.contains(&used.as_str()) {
                    faults.push(format!("src/{relative}:{}: {module} may not use {used}", number + 1));
                }
            }
            let outside = code.trim_start().strip_prefix("use ").map(first_name);
            if let Some(used) = outside {
                let always = ["std", "crate", "super", "self", "thiserror", "serde_json", "proptest", ""];
                if !always.contains(&used.as_str()) && !crates.contains(&used.as_str()) && !is_module(&file, &used) {
                    faults.push(format!("src/{relative}:{}: {module} may not use crate {used}", number + 1));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn names_after(code: &str, mark: &str) -> Vec<String> {
    code.match_indices(mark)
        .filter(|(at, _)| !code[..*at].ends_with('$'))
        .map(|(at, _)| first_name(&code[at + mark.len()..]))
        .filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect()
}

fn first_name(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// Whether a `use` names a module beside the file, or a type of it.
fn is_module(file: &Path, name: &str) -> bool {
    let folder = file.parent().unwrap();
    let inside = file.with_extension("");
    name.starts_with(|c: char| c.is_ascii_uppercase())
        || [folder, inside.as_path()]
            .iter()
            .any(|folder| folder.join(format!("{name}.rs")).exists() || folder.join(name).join("mod.rs").exists())
}
