//! What differs on a terminal: colours, the pager, the width of tables.

#[path = "parts/skipped.rs"]
mod here;
mod pty;

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use here::skipped;
use pty::Session;

/// The tutorial's release.
const VALUES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/tutorial/values.yaml");

/// r8 with nothing of the environment but a terminal's name and where programs are.
fn r8(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_r8"));
    command.args(arguments).env_clear().env("HELM_NAMESPACE", "default").env("TERM", "xterm");
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).envs(variables.iter().copied());
    command
}

/// What r8 writes on a terminal, and its exit code.
fn on_terminal(arguments: &[&str], variables: &[(&str, &str)], columns: u16) -> (Option<i32>, String) {
    Session::start(&mut r8(arguments, variables), columns).end()
}

/// What r8 writes into pipes.
fn in_pipes(arguments: &[&str], variables: &[(&str, &str)]) -> (String, String) {
    let output = r8(arguments, variables).stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

const RED: &str = "\u{1b}[1;31merror\u{1b}[0m: ";

#[test]
fn messages_are_coloured_on_a_terminal_alone() {
    let wrong = ["render", "-f", "missing"];
    let (code, told) = on_terminal(&wrong, &[], 80);
    assert!(told.starts_with(RED), "{told:?}");
    assert_eq!(code, Some(2));
    assert!(in_pipes(&wrong, &[]).1.starts_with("error: "));
    for none in [("NO_COLOR", "1"), ("TERM", "dumb"), ("CLICOLOR", "0"), ("HELM_COLOR", "never")] {
        let (_, told) = on_terminal(&wrong, &[none], 80);
        assert!(told.starts_with("error: "), "{none:?}: {told:?}");
    }
}

#[test]
fn colours_are_forced_and_forbidden_in_one_order() {
    let forced = ("CLICOLOR_FORCE", "1");
    for (variables, is_red) in [
        (&[forced][..], true),
        (&[("CLICOLOR_FORCE", "0")], false),
        (&[forced, ("CLICOLOR", "0"), ("HELM_COLOR", "never")], true),
        (&[forced, ("NO_COLOR", "1")], false),
        (&[("HELM_COLOR", "always"), ("CLICOLOR", "0")], false),
    ] {
        let told = in_pipes(&["render", "-f", "missing"], variables).1;
        assert_eq!(told.starts_with(RED), is_red, "{variables:?}: {told}");
    }
    assert!(in_pipes(&["render", "-f", "missing", "--color", "never"], &[forced]).1.starts_with("error: "));
}

/// A folder with a pager that keeps what it is given, says so, and fails.
struct Recorder {
    folder: tempfile::TempDir,
}

impl Recorder {
    fn new() -> Recorder {
        let recorder = Recorder { folder: tempfile::tempdir().unwrap() };
        let text = format!("#!/bin/sh\ncat > '{}'\necho recorded \"$LESS\"\nexit 3\n", recorder.record().display());
        fs::write(recorder.program(), text).unwrap();
        fs::set_permissions(recorder.program(), Permissions::from_mode(0o755)).unwrap();
        recorder
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("pager")
    }

    fn record(&self) -> PathBuf {
        self.folder.path().join("record")
    }

    /// What it was given; none when it was not started.
    fn recorded(&self) -> Option<String> {
        fs::read_to_string(self.record()).ok()
    }
}

/// A long result without notes beside it.
const LONG: [&str; 5] = ["render", "-f", VALUES, "--ready", "0,1"];

#[test]
fn a_result_to_be_read_goes_through_the_pager_whole() {
    let printed = in_pipes(&LONG, &[]).0;
    for variable in ["R8_PAGER", "PAGER"] {
        let recorder = Recorder::new();
        let pager = recorder.program();
        let (code, shown) = on_terminal(&LONG, &[(variable, pager.to_str().unwrap())], 80);
        // The pager's exit code is its own.
        assert_eq!((code, shown.as_str()), (Some(0), "recorded FRX\n"), "{variable}");
        assert_eq!(recorder.recorded().as_ref(), Some(&printed), "{variable}");
    }
}

#[test]
fn a_difference_without_a_cluster_is_paged_and_keeps_its_exit_code() {
    let old = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/tutorial/initial.yaml");
    let arguments = ["diff", "--against", old, "-f", VALUES, "--exit-code"];
    let (printed, told) = in_pipes(&arguments, &[]);
    let recorder = Recorder::new();
    let variables = [("PAGER", recorder.program().to_str().unwrap().to_owned()), ("NO_COLOR", "1".to_owned())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(on_terminal(&arguments, &variables, 80), (Some(3), told + "recorded FRX\n"));
    assert_eq!(recorder.recorded(), Some(printed));
}

#[test]
fn options_of_less_are_the_users_where_he_has_some() {
    let recorder = Recorder::new();
    let (_, shown) = on_terminal(&LONG, &[("PAGER", recorder.program().to_str().unwrap()), ("LESS", "-S")], 80);
    assert_eq!(shown, "recorded -S\n");
}

#[test]
fn a_pager_with_words_for_a_shell_is_run_by_one() {
    let (code, shown) = on_terminal(&LONG, &[("R8_PAGER", "head -n 2 | tail -n 1")], 80);
    let expected = "# Source: r8/templates/kserve-modelmesh-istio/support.yaml.j2 support\n";
    assert_eq!((code, shown.as_str()), (Some(0), expected));
}

#[test]
fn no_pager_is_started_where_none_is_wanted() {
    let printed = in_pipes(&LONG, &[]).0;
    let recorder = Recorder::new();
    let pager = recorder.program();
    let pager = ("PAGER", pager.to_str().unwrap());
    let without = [&LONG[..], &["--no-pager"]].concat();
    assert_eq!(on_terminal(&without, &[pager], 80), (Some(0), printed.clone()));
    for none in ["", "cat"] {
        assert_eq!(on_terminal(&LONG, &[pager, ("R8_PAGER", none)], 80), (Some(0), printed.clone()), "{none:?}");
    }
    assert_eq!(on_terminal(&LONG, &[pager, ("TERM", "dumb")], 80), (Some(0), printed.clone()));
    assert_eq!(in_pipes(&LONG, &[pager]).0, printed);
    on_terminal(&["validate", VALUES], &[pager], 80);
    on_terminal(&["render", "--help"], &[pager], 80);
    assert_eq!(recorder.recorded(), None);
}

#[test]
fn a_pager_that_cannot_be_started_costs_nothing() {
    let printed = in_pipes(&LONG, &[]).0;
    assert_eq!(on_terminal(&LONG, &[("PAGER", "/nonexistent/pager -x")], 80), (Some(0), printed.clone()));
    let (code, shown) = on_terminal(&LONG, &[("PAGER", "/nonexistent/pager 'x'")], 80);
    assert!(shown.ends_with(&printed), "{shown}");
    assert_eq!(code, Some(0));
}

/// More than a pipe holds, in a file below the folder.
fn many_versions(folder: &Path) -> String {
    let versions: String = (0..100).map(|number| format!("  - image: \"shop:{number}\"\n")).collect();
    let text = format!(
        "environment: deployment-istio\napplication:\n  metadata: {{name: shop}}\n  strategy: blue-green\n  versions:\n{versions}"
    );
    let path = folder.join("values.yaml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_pager_that_is_quit_before_the_end_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let values = many_versions(folder.path());
    let arguments = ["render", "-f", &values, "--only", "versions"];
    assert!(in_pipes(&arguments, &[]).0.len() > 1 << 16);
    for pager in ["true", "false"] {
        assert_eq!(on_terminal(&arguments, &[("PAGER", pager)], 80), (Some(0), String::new()), "{pager}");
    }
}

/// A program, when it is here.
fn installed(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

#[test]
fn ctrl_c_in_the_pager_is_the_pagers() {
    if !installed("setsid") {
        skipped("there is no setsid");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let pager = folder.path().join("pager");
    let text = "#!/bin/sh\ncat > /dev/null\ntrap 'echo heard; exit 0' INT\necho begun\nread line < /dev/tty\n";
    fs::write(&pager, text).unwrap();
    fs::set_permissions(&pager, Permissions::from_mode(0o755)).unwrap();
    // With the terminal as its own, so that Ctrl-C is a signal to everything on it.
    let mut command = Command::new("setsid");
    command.args(["--ctty", "--wait", env!("CARGO_BIN_EXE_r8")]).args(LONG).env("TERM", "xterm").env("PAGER", &pager);
    let mut session = Session::start(&mut command, 80);
    session.until("begun\n");
    session.write_all(b"\x03").unwrap();
    session.until("heard\n");
    assert_eq!(session.end(), (Some(0), String::new()));
}

#[test]
fn less_shows_what_fits_at_once_and_waits_for_what_does_not() {
    if !installed("less") {
        skipped("there is no less");
        return;
    }
    let one = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/tutorial/initial.yaml");
    let short = ["render", "-f", one, "--only", "versions"];
    let printed = in_pipes(&short, &[]).0;
    assert!((1..24).contains(&printed.lines().count()), "{printed}");
    let (code, shown) = on_terminal(&short, &[], 200);
    let texts = |text: &str| -> Vec<String> {
        let lines = text.replace('\r', "\n");
        lines.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
    };
    // Among the signs of the terminal.
    assert!(texts(&printed).iter().all(|line| shown.contains(line)), "{shown:?}");
    assert_eq!(code, Some(0));
    let mut session = Session::start(&mut r8(&LONG, &[]), 200);
    session.until("kind: ServiceEntry");
    session.write_all(b"q").unwrap();
    let (code, shown) = session.end();
    assert!(!shown.contains("kind: VirtualService"), "{shown:?}");
    assert_eq!(code, Some(0));
}

#[test]
fn a_table_is_as_wide_as_the_terminal_at_most() {
    let list = ["templates", "list"];
    let whole = in_pipes(&list, &[("COLUMNS", "70")]).0;
    assert!(whole.lines().any(|line| line.chars().count() > 150));
    assert_eq!(on_terminal(&list, &[], 200).1, whole);
    let narrow = on_terminal(&list, &[], 80).1;
    assert_eq!(narrow.lines().count(), whole.lines().count());
    for (line, whole) in narrow.lines().zip(whole.lines()) {
        assert!(line.chars().count() <= 80, "{line}");
        assert!(line == whole || whole.starts_with(line.strip_suffix('…').unwrap()), "{line}");
    }
    // What the user says of the width wins over the terminal.
    assert_eq!(on_terminal(&list, &[("COLUMNS", "80")], 200).1, narrow);
    assert_eq!(on_terminal(&list, &[("COLUMNS", "wide")], 80).1, narrow);
}
