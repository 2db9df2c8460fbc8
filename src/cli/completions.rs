//! `completions`: the script that makes a shell ask r8 what can follow.

use super::args::{Completions, Shell};

/// The script; it asks with `r8 __complete`.
pub(super) fn run(args: &Completions) -> String {
    let script = match args.shell {
        Shell::Bash => include_str!("completions/r8.bash"),
        Shell::Zsh => include_str!("completions/r8.zsh"),
        Shell::Fish => include_str!("completions/r8.fish"),
        Shell::Powershell => include_str!("completions/r8.ps1"),
    };
    script.to_owned()
}
