//! Builds the small Go programs below `tests/` on first use, into `target/parts`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Builds a package of the module `tests/MODULE` and gives the program's path.
pub fn build(module: &str, package: &str, program: &str) -> PathBuf {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = PathBuf::from(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| root.join("target").into()));
    let path = target.join("parts").join(program);
    let done = Command::new("go")
        .args(["build", "-ldflags=-s -w", "-o"])
        .arg(&path)
        .arg(package)
        .current_dir(root.join("tests").join(module))
        .status()
        .expect("Go is installed");
    assert!(done.success(), "tests/{module} does not build");
    path
}
