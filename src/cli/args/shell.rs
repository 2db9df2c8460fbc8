//! Flags of the commands for the shell and for man.

use clap::{Args, ValueEnum};

pub(in crate::cli) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  source <(r8 completions bash)
  r8 completions zsh > \"${fpath[1]}/_r8\"
  r8 completions fish > ~/.config/fish/completions/r8.fish
  r8 completions powershell | Out-String | Invoke-Expression";

pub(in crate::cli) const MAN_EXAMPLES: &str = "\
Examples:
  r8 man apply | man -l -
  r8 man --output-dir ~/.local/share/man/man1";

#[derive(Debug, Args)]
pub(in crate::cli) struct Completions {
    /// Which shell the script is for
    #[arg(value_enum)]
    pub shell: Shell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Shell {
    Bash,
    Zsh,
    Fish,
    #[value(alias = "pwsh")]
    Powershell,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Man {
    /// The command whose page to print, as in `templates show` [default: r8 itself]
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
    /// Write the pages of all commands to DIR, as r8.1, r8-apply.1, …
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub output_dir: Option<String>,
}
