//! The `r8` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    r8::cli::main()
}
