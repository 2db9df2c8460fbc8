//! What shells offer behind a word that has been begun: asked of the real ones that are here.

#[path = "parts/skipped.rs"]
mod here;
mod pty;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use here::skipped;
use pty::Session;

/// What is typed, and what its last word becomes.
const CASES: [(&str, &str); 32] = [
    ("r8 comp", "completions"),
    ("r8 completions fi", "fish"),
    ("r8 templat", "templates"),
    ("r8 templates eject --fo", "--force"),
    ("r8 render --rou", "--routing"),
    ("r8 render --routing routem", "routemap"),
    ("r8 render --routing=routem", "--routing=routemap"),
    ("r8 --color al", "always"),
    ("r8 templates show kserve-standard/bl", "kserve-standard/blue-green"),
    ("r8 templates show --templates my-templates gpu/ca", "gpu/canary"),
    ("r8 render -f val", "values.yaml"),
    ("r8 render -f base.yaml,val", "base.yaml,values.yaml"),
    ("r8 render --values=val", "--values=values.yaml"),
    ("r8 diff --against base.yaml,val", "base.yaml,values.yaml"),
    ("r8 diff --against rel", "release"),
    ("r8 diff --against=rel", "--against=release"),
    ("r8 render -f od", "odd name.yaml"),
    ("r8 render --templates my-t", "my-templates/"),
    ("r8 render --set application.po", "application.port="),
    ("r8 render --set service.ho", "service.host="),
    ("r8 render --set environment=kserve-st", "environment=kserve-standard"),
    ("r8 render --set gateway=x,application.strategy=mi", "gateway=x,application.strategy=mirror"),
    ("r8 render --set-file application.x=val", "application.x=values.yaml"),
    ("r8 schema --environment kserve-m", "kserve-modelmesh-istio"),
    ("r8 schema --templates my-templates --environment g", "gpu"),
    ("r8 validate --target ist", "istio="),
    ("r8 validate --target kserve=0.2", "kserve=0.20"),
    ("r8 validate --target=istio=1.27,kserve=0.2", "--target=istio=1.27,kserve=0.20"),
    ("r8 render --target clus", "cluster"),
    ("r8 man temp", "templates"),
    ("r8 man templates ej", "eject"),
    // Helm's verb is not offered, and has its flags once it is typed.
    ("r8 template --show", "--show-only"),
];

/// Beginnings of Helm's verbs and flags, which are taken and not offered.
const HIDDEN: [&str; 4] = ["r8 upgr", "r8 uninst", "r8 render --repo", "r8 render --release-n"];

/// A folder with the files of the cases.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["values.yaml", "base.yaml", "odd name.yaml"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let own = folder.path().join("my-templates/gpu");
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("environment.yaml"), "doc: GPUs\nbase: deployment-gtw\n").unwrap();
    folder
}

/// A program in that folder that finds r8, and nothing of the user's.
fn within(folder: &Path, program: &str) -> Command {
    let r8 = Path::new(env!("CARGO_BIN_EXE_r8")).parent().unwrap();
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(r8.to_owned()).chain(std::env::split_paths(&paths));
    let mut command = Command::new(program);
    command.current_dir(folder).env_clear().env("PATH", std::env::join_paths(paths).unwrap());
    command.env("HOME", folder).env("TERM", "xterm").env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

/// Whether a shell is here; one that must be is.
fn is_here(shell: &str, must: bool) -> bool {
    let is = Command::new(shell).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    assert!(is || !must || std::env::var_os("CI").is_none(), "{shell} is not installed");
    if !is {
        skipped(&format!("there is no {shell}"));
    }
    is
}

/// Types each case, presses Tab, and has the shell print the words that it then has.
fn press_tab(session: &mut Session) {
    let unchanged = HIDDEN.map(|typed| (typed, typed.rsplit(' ').next().unwrap()));
    for (typed, whole) in CASES.into_iter().chain(unchanged) {
        let words: Vec<&str> = typed.split(' ').collect();
        let before = words[..words.len() - 1].iter().map(|word| format!("[{word}]")).collect::<String>();
        // To the begin of the line, the words that print it, and to its end.
        session.write_all(format!("{typed}\t\u{1}printf '[%s]' \u{5}\r").as_bytes()).unwrap();
        let shown = session.until(&format!("{before}["));
        let completed = session.until("]");
        assert_eq!(completed, format!("{whole}]"), "{typed}: {shown}");
    }
}

#[test]
fn bash_completes_words_files_and_values() {
    if !is_here("bash", true) {
        return;
    }
    let folder = folder();
    let mut command = within(folder.path(), "bash");
    command.args(["--norc", "--noprofile", "-i"]).env("PS1", "ready ");
    let mut session = Session::start(&mut command, 200);
    session.until("ready ");
    session.write_all(b"source <(r8 completions bash)\r").unwrap();
    press_tab(&mut session);
    session.write_all(b"exit 0\r").unwrap();
    assert_eq!(session.end().0, Some(0));
}

#[test]
fn zsh_completes_words_files_and_values() {
    if !is_here("zsh", false) {
        return;
    }
    let folder = folder();
    let mut command = within(folder.path(), "zsh");
    command.args(["-f", "-i"]).env("PS1", "ready ");
    let mut session = Session::start(&mut command, 200);
    session.until("ready ");
    session.write_all(b"bindkey -e; autoload -U compinit; compinit -u -D; source <(r8 completions zsh)\r").unwrap();
    press_tab(&mut session);
    session.write_all(b"exit 0\r").unwrap();
    assert_eq!(session.end().0, Some(0));
}

/// Has a shell print its candidates for each case, one a line, behind a line that begins with `=`.
fn candidates(output: &Output) -> Vec<Vec<String>> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = |part: &str| part.lines().skip(1).map(|line| line.split('\t').next().unwrap().to_owned()).collect();
    text.split("=== ").skip(1).map(lines).collect()
}

fn assert_candidates(found: &[Vec<String>], quoted: impl Fn(&str) -> String) {
    let expected: Vec<Vec<String>> =
        CASES.iter().map(|(_, whole)| vec![quoted(whole)]).chain(HIDDEN.iter().map(|_| Vec::new())).collect();
    assert_eq!(found, expected);
}

#[test]
fn fish_completes_words_files_and_values() {
    if !is_here("fish", false) {
        return;
    }
    let folder = folder();
    let typed = CASES.iter().map(|(typed, _)| *typed).chain(HIDDEN);
    let ask: String = typed.map(|typed| format!("echo '=== '; complete --do-complete '{typed}'\n")).collect();
    let script = format!("r8 completions fish | source\n{ask}");
    let output = within(folder.path(), "fish").args(["--no-config", "-c", &script]).output().unwrap();
    assert_candidates(&candidates(&output), str::to_owned);
}

#[test]
fn powershell_completes_words_files_and_values() {
    if !is_here("pwsh", false) {
        return;
    }
    let folder = folder();
    let typed = CASES.iter().map(|(typed, _)| *typed).chain(HIDDEN);
    let ask = |typed: &str| {
        // Where r8 has nothing to offer, PowerShell offers files.
        format!(
            "Write-Output '=== '; (TabExpansion2 '{typed}' {}).CompletionMatches | Where-Object ResultType -eq 'ParameterValue' | \
             ForEach-Object CompletionText\n",
            typed.len()
        )
    };
    let script =
        format!("r8 completions powershell | Out-String | Invoke-Expression\n{}", typed.map(ask).collect::<String>());
    let output = within(folder.path(), "pwsh").args(["-NoProfile", "-Command", &script]).output().unwrap();
    let quoted = |text: &str| if text.contains([' ', ',']) { format!("'{text}'") } else { text.to_owned() };
    assert_candidates(&candidates(&output), quoted);
}

/// What r8 answers to words, the last of them begun.
fn answered(folder: &Path, words: &[&str]) -> Vec<String> {
    let output = within(folder, "r8").args(["__complete", "fish", "r8"]).args(words).output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

#[test]
fn a_word_that_is_not_begun_is_offered_commands_and_no_flags() {
    let folder = folder();
    let commands = answered(folder.path(), &[""]);
    let help = String::from_utf8(within(folder.path(), "r8").arg("--help").output().unwrap().stdout).unwrap();
    let listed = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let listed = listed.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let mut listed: Vec<&str> = listed.map(|line| line.split_whitespace().next().unwrap()).collect();
    let mut offered = commands.clone();
    offered.sort();
    listed.sort_unstable();
    assert_eq!(offered, listed);
    assert_eq!(answered(folder.path(), &["completions", ""]), ["bash", "zsh", "fish", "powershell"]);
    assert_eq!(answered(folder.path(), &["templates", "eject", ""]), [".", "my-templates/"]);
    // Where there is nothing else, flags are.
    assert!(answered(folder.path(), &["render", ""]).contains(&"--routing".to_owned()));
}

#[test]
fn without_words_to_complete_there_is_nothing() {
    let folder = folder();
    for words in [&["__complete"][..], &["__complete", "bash"], &["__complete", "bash", "r8"]] {
        let output = within(folder.path(), "r8").args(words).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len(), output.stderr.len()), (Some(0), 0, 0), "{words:?}");
    }
}

#[test]
fn a_cluster_that_does_not_answer_has_no_releases() {
    let folder = folder();
    let kubeconfig = folder.path().join("kubeconfig");
    let closed = r#"{"apiVersion": "v1", "kind": "Config", "current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": "http://127.0.0.1:1"}}], "users": [{"name": "x", "user": {}}]}"#;
    for text in [closed, "not a kubeconfig"] {
        fs::write(&kubeconfig, text).unwrap();
        let kubeconfig = kubeconfig.to_str().unwrap();
        let offered = answered(folder.path(), &["--kubeconfig", kubeconfig, "status", ""]);
        assert!(offered.iter().all(|offered| offered.starts_with('-')), "{offered:?}");
        assert_eq!(answered(folder.path(), &["--kubeconfig", kubeconfig, "status", "wis"]), [""; 0]);
    }
}
