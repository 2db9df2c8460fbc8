//! Where the specification lies: its documented releases, and the published CRDs.

use std::path::{Path, PathBuf};

use super::skipped::skipped;

/// A folder of the specification; where it is not here, says so.
pub fn shared(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::var_os("R8_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from).join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    skipped(&format!("there is no {}", folder.display()));
    None
}
