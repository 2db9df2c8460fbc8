//! The README's sessions with a cluster: each command is run, and prints what stands there.
//!
//! Lines that happen side by side may come in another order; a line `...` stands for any lines. States on the way that a
//! version is seen in, or not, are passed over.

use std::path::Path;
use std::process::Command;

use crate::harness::{Ask, control_plane};

/// The commands of the README's sessions with what each prints.
fn sessions() -> Vec<(String, Vec<String>)> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    for block in text.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("shell-session\n")) {
        for line in block.lines() {
            match line.strip_prefix("$ ") {
                Some(command) => commands.push((command.to_owned(), Vec::new())),
                None => commands.last_mut().expect("a session begins with a command").1.push(line.to_owned()),
            }
        }
    }
    commands
}

fn is_passing(line: &str) -> bool {
    line.contains(": waiting: ") || line.contains(": serving, waiting: ")
}

#[tokio::test]
async fn what_the_readme_shows_is_what_happens() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("models", &[Ask::Ready]).await;
    let sessions = sessions();
    assert!(sessions.len() >= 4);
    for (command, expected) in sessions {
        let (program, arguments) = command.split_once(' ').unwrap();
        assert_eq!(program, "r8");
        let words = arguments.split(' ').map(|word| if word == "models" { &namespace.name } else { word });
        let mut r8: Command = cluster.r8();
        r8.args(words).current_dir(env!("CARGO_MANIFEST_DIR"));
        if arguments.starts_with("apply ") {
            r8.args(["--drain", "1s", "--settle", "1s"]);
        }
        let output = r8.output().unwrap();
        let text = [output.stderr, output.stdout].concat();
        let text = String::from_utf8(text).unwrap().replace(&namespace.name, "models");
        let mut printed: Vec<&str> = text.lines().filter(|line| !is_passing(line)).collect();
        let mut wanted: Vec<&str> = expected.iter().map(String::as_str).filter(|line| !is_passing(line)).collect();
        if wanted.contains(&"...") {
            wanted.retain(|line| !["...", ""].contains(line));
            printed.retain(|line| wanted.contains(line));
        }
        // What is settled in this cluster without a proof would have one where loading takes longer than a second.
        let mut printed: Vec<String> =
            printed.into_iter().map(|line| line.replace(", as far as its status tells", "")).collect();
        let unchanged = |line: &String| line.ends_with(": settled") && !wanted.contains(&line.as_str());
        printed.retain(|line| !unchanged(line));
        printed.sort();
        wanted.sort_unstable();
        assert_eq!(printed, wanted, "$ {command}\n{text}");
    }
}
