//! Whether the real parts are asked at all.

/// Whether tests may build and ask the real parts; says so when not.
pub fn wanted() -> bool {
    let wanted = std::env::var_os("R8_TEST_INTEROP").is_some();
    if !wanted {
        eprintln!("skipped: set R8_TEST_INTEROP=1 to build and ask the real parts (needs Go)");
    }
    wanted
}
