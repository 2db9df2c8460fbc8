//! The `r8` command.

fn main() {}
