//! What commands of the cluster do on a terminal, and what they offer a shell.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Ask, Cluster, Namespace, Player, control_plane};
use crate::pty::Session;
use crate::shop::{apply, printed, r8, told, values};

/// The values in a file of the folder.
fn file(folder: &Path, values: &str) -> PathBuf {
    let path = folder.join("values.yaml");
    fs::write(&path, values).unwrap();
    path
}

/// r8 with a terminal's name, and without what the user says of colours and pagers.
fn on_terminal(cluster: &Cluster, namespace: &Namespace, args: &[&str]) -> Command {
    let mut command = cluster.r8();
    command.args(args).args(["-n", &namespace.name]).env("TERM", "xterm");
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LESS", "PAGER", "R8_PAGER"] {
        command.env_remove(name);
    }
    command
}

#[tokio::test]
async fn a_version_that_is_waited_for_has_a_live_line_on_a_terminal() {
    let Some(cluster) = control_plane() else { return };
    let folder = tempfile::tempdir().unwrap();
    let namespace = cluster.namespace("live-line", &[]).await;
    let long = "a-version-with-a-name-that-is-not-short-at-all";
    let text = format!(
        "environment: deployment-istio\napplication:\n  metadata: {{name: shop}}\n  strategy: blue-green\n  versions:\n  \
         - {{image: 'shop:1', metadata: {{name: {long}}}}}\n"
    );
    let path = file(folder.path(), &text);
    let args = ["apply", "shop", "-f", path.to_str().unwrap(), "--drain", "0s", "--settle", "1s", "--timeout", "90s"];
    let mut session = Session::start(&mut on_terminal(cluster, &namespace, &args), 60);
    let mut shown = session.until(&format!("{long}: waiting"));
    // Every line that was drawn is taken back: one up, and away with it.
    shown += &session.until("\u{1b}[1A\u{1b}[J");
    let mut player = Player::new(&namespace, "deployment/new", long);
    while player.step().await.is_some() {}
    shown += &session.until(&format!("{long}: settled\n"));
    let (code, rest) = session.end();
    shown += &rest;
    assert_eq!(code, Some(0), "{shown}");
    let lines: Vec<&str> = shown.lines().map(|line| line.rsplit("\u{1b}[J").next().unwrap()).collect();
    let live: Vec<&&str> = lines.iter().filter(|line| line.contains(": waiting")).collect();
    assert!(live.iter().any(|line| line.ends_with('…')), "{lines:?}");
    assert!(live.iter().all(|line| line.chars().count() < 60), "{live:?}");
    assert!(shown.ends_with(" created, 0 updated, 0 deleted, 0 unchanged\n"), "{shown}");
}

/// The width of the widest line, with a stop of a tab every eight characters.
fn widest(table: &str) -> usize {
    let width =
        |line: &str| line.chars().fold(0, |at, character| if character == '\t' { at / 8 * 8 + 8 } else { at + 1 });
    table.lines().map(width).max().unwrap()
}

#[tokio::test]
async fn tables_fit_the_terminal_and_are_whole_in_a_pipe() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("tables", &[Ask::Ready]).await;
    let description = ["--description", "a description that is longer than most terminals are wide, and that goes on"];
    apply(cluster, &namespace, &description, &values("kserve-modelmesh-istio"));
    let cases: [(&[&str], u16); 3] = [(&["list"], 90), (&["history", "shop"], 90), (&["status", "shop"], 57)];
    for (args, columns) in cases {
        let whole = r8(cluster.r8().env("COLUMNS", "60"), &namespace, args);
        let whole = printed(&whole);
        assert!(widest(&whole) > usize::from(columns) && !whole.contains('…'), "{args:?}: {whole}");
        let mut command = on_terminal(cluster, &namespace, &[args, &["--no-pager"]].concat());
        let (code, shown) = Session::start(&mut command, columns).end();
        assert_eq!(code, Some(0), "{args:?}: {shown}");
        // Behind the lines of `status` that are no table.
        let table = &shown[shown.find(if args[0] == "status" { "VERSION" } else { "" }).unwrap()..];
        assert!(widest(table) <= usize::from(columns) && table.contains('…'), "{args:?}: {table}");
    }
}

#[tokio::test]
async fn a_difference_on_a_terminal_goes_through_the_pager_and_keeps_its_exit_code() {
    let Some(cluster) = control_plane() else { return };
    let folder = tempfile::tempdir().unwrap();
    let namespace = cluster.namespace("paged", &[]).await;
    let path = file(folder.path(), &values("deployment"));
    let (pager, record) = (folder.path().join("pager"), folder.path().join("record"));
    fs::write(&pager, format!("#!/bin/sh\ncat > '{}'\n", record.display())).unwrap();
    fs::set_permissions(&pager, Permissions::from_mode(0o755)).unwrap();
    let args = ["diff", "shop", "-f", path.to_str().unwrap(), "--exit-code"];
    let piped = r8(&mut cluster.r8(), &namespace, &args);
    let mut command = on_terminal(cluster, &namespace, &args);
    let (code, shown) = Session::start(command.env("PAGER", &pager), 80).end();
    assert_eq!((code, shown), (Some(3), told(&piped)));
    let recorded = fs::read_to_string(&record).unwrap();
    assert!(recorded.contains("\u{1b}[32m+"), "{recorded}");
    assert_eq!(recorded.replace("\u{1b}[32m", "").replace("\u{1b}[0m", ""), printed(&piped));
    fs::remove_file(&record).unwrap();
    let mut command = on_terminal(cluster, &namespace, &args);
    let (code, shown) = Session::start(command.env("PAGER", &pager).arg("--no-pager"), 80).end();
    assert_eq!((code, shown), (Some(3), told(&piped) + &recorded));
    assert!(!record.exists());
}

/// What r8 offers behind words, with what it says of each.
fn offered(cluster: &Cluster, words: &[&str]) -> Vec<(String, String)> {
    let output = cluster.r8().args(["__complete", "fish", "r8"]).args(words).output().unwrap();
    assert_eq!(told(&output), "");
    let pair = |line: &str| {
        let (value, help) = line.split_once('\t').unwrap();
        (value.to_owned(), help.to_owned())
    };
    printed(&output).lines().map(pair).collect()
}

#[tokio::test]
async fn releases_and_their_revisions_are_offered_to_a_shell() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("offered", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &values("deployment"));
    apply(cluster, &namespace, &["--set", "application.versions[1].image=shop:3"], &values("deployment"));
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(value, help)| ((*value).to_owned(), (*help).to_owned())).collect()
    };
    let shop = pairs(&[("shop", "deployed")]);
    for words in [
        &["status"][..],
        &["diff"],
        &["explain"],
        &["get", "values"],
        &["history", "--max", "3"],
        &["upgrade", "--install"],
    ] {
        let words = [&["-n", &namespace.name], words].concat();
        assert_eq!(offered(cluster, &[&words[..], &[""]].concat()), shop, "{words:?}");
        assert_eq!(offered(cluster, &[&words[..], &["sh"]].concat()), shop, "{words:?}");
        assert_eq!(offered(cluster, &[&words[..], &["x"]].concat()), [], "{words:?}");
    }
    // The namespace may stand behind the command, too.
    assert_eq!(offered(cluster, &["status", "-n", &namespace.name, "sh"]), shop);
    let revisions = pairs(&[("2", "deployed"), ("1", "superseded")]);
    assert_eq!(offered(cluster, &["rollback", "-n", &namespace.name, "shop", ""]), revisions);
    assert_eq!(offered(cluster, &["get", "all", "shop", "-n", &namespace.name, "--revision", ""]), revisions);
    assert_eq!(
        offered(cluster, &["get", "all", "shop", "-n", &namespace.name, "--revision="]),
        pairs(&[("--revision=2", "deployed"), ("--revision=1", "superseded")])
    );
    let live = pairs(&[("release:2", "deployed"), ("release:1", "superseded")]);
    assert_eq!(offered(cluster, &["diff", "shop", "-n", &namespace.name, "--against", "release:"]), live);
    let one = pairs(&[("--against=release:1", "superseded")]);
    assert_eq!(offered(cluster, &["diff", "shop", "-n", &namespace.name, "--against=release:1"]), one);
    // A revision is not merged with files, and of no release there is none.
    assert_eq!(offered(cluster, &["diff", "shop", "-n", &namespace.name, "--against", "a.yaml,release:"]), []);
    assert_eq!(offered(cluster, &["diff", "-n", &namespace.name, "--against", "release:"]), []);
    // No cluster is asked for these.
    assert_eq!(offered(cluster, &["render", "-n", &namespace.name, "sh"]), []);
}
