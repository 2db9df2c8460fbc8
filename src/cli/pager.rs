//! Long results on a terminal go through a pager, as git's do.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::SIGINT;

/// What a pager is told of its options, where the user says nothing: to end at once when everything fits, to pass colours
/// through, and to leave the text on the screen.
const OPTIONS: [(&str, &str); 2] = [("LESS", "FRX"), ("LV", "-c")];

/// What makes of a command more than words: a shell runs it.
const FOR_A_SHELL: &str = "|&;<>()$`\\\"'*?[]#~=%\n\t";

/// The exit codes with which a shell says that it could not start a program.
const NOT_STARTED: [i32; 2] = [126, 127];

/// Shows a text with the user's pager; `false` where there is none, or it cannot be started.
///
/// A pager that is quit before the end has shown enough, and its exit code is its own.
pub(super) fn page(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> bool {
    let Some(words) = words(variable) else { return false };
    let Some((program, arguments)) = words.split_first() else { return false };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped());
    for (name, value) in OPTIONS.iter().filter(|(name, _)| variable(name).is_none()) {
        command.env(name, value);
    }
    let Ok(mut child) = command.spawn() else { return false };
    // Ctrl-C is the pager's: who waits for it stays.
    let heard = signal_hook::flag::register(SIGINT, Arc::new(AtomicBool::new(false)));
    if let Some(mut pipe) = child.stdin.take() {
        let _ = pipe.write_all(text.as_bytes());
    }
    let ended = child.wait();
    if let Ok(heard) = heard {
        signal_hook::low_level::unregister(heard);
    }
    !ended.is_ok_and(|status| status.code().is_some_and(|code| NOT_STARTED.contains(&code)))
}

/// The words of the pager's command; none where there is to be no pager.
fn words(variable: &dyn Fn(&str) -> Option<String>) -> Option<Vec<String>> {
    let said = variable("R8_PAGER").or_else(|| variable("PAGER")).unwrap_or_else(|| "less".to_owned());
    let said = said.trim();
    if said.is_empty() || said == "cat" {
        return None;
    }
    if said.contains(|character| FOR_A_SHELL.contains(character)) {
        return Some(["sh", "-c", said].map(str::to_owned).to_vec());
    }
    Some(said.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(variables: &[(&str, &str)]) -> Option<Vec<String>> {
        let said =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        words(&said)
    }

    #[test]
    fn the_pager_is_chosen_as_git_chooses_its_own() {
        let words = |text: &str| Some(text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(chosen(&[]), words("less"));
        assert_eq!(chosen(&[("PAGER", "more")]), words("more"));
        assert_eq!(chosen(&[("PAGER", "more"), ("R8_PAGER", "less -S")]), words("less -S"));
        let shell = Some(["sh", "-c", "less | cat"].map(str::to_owned).to_vec());
        assert_eq!(chosen(&[("R8_PAGER", "less | cat")]), shell);
        for none in ["", " ", "cat"] {
            assert_eq!(chosen(&[("PAGER", none)]), None);
            assert_eq!(chosen(&[("PAGER", "more"), ("R8_PAGER", none)]), None);
        }
    }
}
