//! The README's sessions with a cluster: each command is run, and prints what stands there; and its way from Helm to r8.
//!
//! In a session, lines that happen side by side may come in another order; a line `...` stands for any lines. States on
//! the way that a version is seen in, or not, are passed over.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Ask, Cluster, Namespace, control_plane, fed};
use crate::shop::{printed, told};

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The commands of each of the README's sessions, with what each prints.
fn sessions() -> Vec<Vec<(String, Vec<String>)>> {
    let text = readme();
    let blocks = text.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("shell-session\n"));
    let session = |block: &str| {
        let mut commands: Vec<(String, Vec<String>)> = Vec::new();
        for line in block.lines() {
            match line.strip_prefix("$ ") {
                Some(command) => commands.push((command.to_owned(), Vec::new())),
                None => commands.last_mut().expect("a session begins with a command").1.push(line.to_owned()),
            }
        }
        commands
    };
    blocks.map(session).collect()
}

/// What a command prints, as it would with the README's namespace.
fn run(cluster: &Cluster, namespace: &Namespace, command: &str) -> String {
    let (program, arguments) = command.split_once(' ').unwrap();
    assert_eq!(program, "r8");
    let words = arguments.split(' ').map(|word| if word == "models" { &namespace.name } else { word });
    let mut r8: Command = cluster.r8();
    r8.args(words).current_dir(env!("CARGO_MANIFEST_DIR"));
    if arguments.starts_with("apply ") || arguments.starts_with("rollback ") {
        r8.args(["--drain", "1s", "--settle", "1s"]);
    }
    let output = r8.output().unwrap();
    let text = String::from_utf8([output.stderr, output.stdout].concat()).unwrap();
    assert!(output.status.success(), "$ {command}\n{text}");
    text.replace(&namespace.name, "models")
}

fn is_passing(line: &str) -> bool {
    line.contains(": waiting: ") || line.contains(": serving, waiting: ")
}

/// A line that does not depend on how old an object is, how wide a column, or what a second proves.
fn even(line: &str) -> String {
    let mut cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    if cells.len() == 7 && cells[0] != "VERSION" {
        cells[5] = "3m";
    }
    if line.starts_with("revision: ")
        && let (Some(begin), Some(end)) = (line.find(" 20"), line.find(" with "))
    {
        return format!("{}{}", &line[..begin], &line[end..]);
    }
    cells.join("  ").replace("unproven", "yes").replace(", as far as its status tells", "")
}

#[tokio::test]
async fn what_the_readme_shows_is_what_happens() {
    let Some(cluster) = control_plane() else { return };
    let sessions = sessions();
    assert!(sessions.len() >= 2);
    for session in sessions {
        let namespace = cluster.namespace("models", &[Ask::Ready]).await;
        if !session[0].0.starts_with("r8 apply ") {
            // Of a release that is there.
            run(cluster, &namespace, "r8 apply wisdom -n models -f testdata/tutorial/values.yaml");
        }
        for (command, expected) in session {
            let text = run(cluster, &namespace, &command);
            let mut printed: Vec<String> = text.lines().filter(|line| !is_passing(line)).map(even).collect();
            let lines = expected.iter().map(String::as_str);
            let mut wanted: Vec<String> = lines.filter(|line| !is_passing(line)).map(even).collect();
            if wanted.contains(&"...".to_owned()) {
                wanted.retain(|line| !["...", ""].contains(&line.as_str()));
                printed.retain(|line| wanted.contains(line));
            }
            // Versions that do not change are told when their status proves nothing yet.
            printed.retain(|line| !line.ends_with(": settled") || wanted.contains(line));
            printed.sort();
            wanted.sort();
            assert_eq!(printed, wanted, "$ {command}\n{text}");
        }
    }
}

/// The commands of the README's way from Helm to r8.
fn switch() -> [String; 2] {
    let readme = readme();
    let section = readme.split("## Coming from Helm and Iter8").nth(1).unwrap().split("\n## ").next().unwrap();
    let commands = section.lines().filter_map(|line| line.strip_prefix("   r8 ").map(str::to_owned));
    commands.collect::<Vec<_>>().try_into().unwrap()
}

#[tokio::test]
async fn the_tutorials_commands_run_with_helm_replaced_by_r8() {
    let Some(cluster) = control_plane() else { return };
    let [upgrade, uninstall] = switch().map(|command| command.replace(" -n models", "").replace("values.yaml", "-"));
    assert_eq!(
        upgrade,
        "upgrade --install wisdom --repo https://iter8-tools.github.io/iter8 release --version 0.18 -f -"
    );
    let namespace = cluster.namespace("tutorial", &[Ask::Ready]).await;
    let r8 = |args: &str, values: Option<&str>| {
        let mut r8 = cluster.r8();
        r8.args(args.split(' ')).args(["-n", &namespace.name]);
        let output = fed(&mut r8, values.unwrap_or_default()).wait_with_output().unwrap();
        assert!(output.status.success(), "{args}: {}", told(&output));
        printed(&output)
    };
    for (step, moved) in [
        ("initial", "wisdom-0  – → 100%\n\n"),
        ("values", "wisdom-0  100% → 30%\nwisdom-1  – → 70%\n\n"),
        ("promote", "wisdom-0  30% → 100%\nwisdom-1  70% → –\n\n"),
    ] {
        let file = format!("{}/testdata/tutorial/{step}.yaml", env!("CARGO_MANIFEST_DIR"));
        let done =
            r8(&format!("{upgrade} --wait --atomic --create-namespace"), Some(&std::fs::read_to_string(file).unwrap()));
        assert!(done.starts_with(moved), "{step}: {done}");
    }
    assert_eq!(r8("ls -q", None), "wisdom\n");
    r8(&uninstall, None);
    assert_eq!(namespace.list("Secret").await, Vec::<Value>::new());
}
