//! Embeds `templates/`: checks every key table and packs it as JSON, so that start-up reads no YAML.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

#[path = "src/templates/table.rs"]
mod table;

fn main() {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("templates");
    println!("cargo::rerun-if-changed=templates");
    println!("cargo::rerun-if-changed=src/templates/table.rs");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    let mut files: Vec<(String, std::path::PathBuf)> = Vec::new();
    for path in paths {
        let name = path.strip_prefix(&root).expect("below the root");
        files.push((name.to_str().expect("template names are UTF-8").replace('\\', "/"), path));
    }
    // By the bytes of the whole path, as the catalog searches them.
    files.sort();
    let mut code = String::from("&[\n");
    for (name, path) in &files {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let packed = if name.ends_with("/environment.yaml") {
            let table: table::Table =
                serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("templates/{name}: {error}"));
            serde_json::to_string(&table).expect("a table is JSON")
        } else {
            String::new()
        };
        writeln!(code, "    ({name:?}, {text:?}, {packed:?}),").expect("writing to memory");
    }
    code.push_str("]\n");
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("embedded.rs");
    fs::write(out, code).expect("the out directory is writable");
}

fn collect(folder: &Path, paths: &mut Vec<std::path::PathBuf>) {
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder).expect("templates/ is readable") {
        let path = entry.expect("templates/ is readable").path();
        if path.is_dir() {
            collect(&path, paths);
        } else {
            paths.push(path);
        }
    }
}
