//! Words, streams and exit codes of the command line: the transcripts of `testdata/cli`, and what no transcript can hold.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The tutorial's release.
const VALUES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/tutorial/values.yaml");

#[test]
fn transcripts() {
    let cases = trycmd::TestCases::new();
    cases.env("HELM_NAMESPACE", "default").env("RUST_BACKTRACE", "1");
    cases.case("testdata/cli/*.md").skip("testdata/cli/namespace.md");
}

#[test]
fn transcripts_about_the_namespace() {
    trycmd::TestCases::new().env("CI", "").env("HOME", "/nonexistent").case("testdata/cli/namespace.md");
}

#[test]
fn a_namespace_that_comes_from_the_machine_is_a_warning_in_ci() {
    let told = |ci: &str| {
        let mut command = r8(&["render", "-f", VALUES, "--only", "support"]);
        outcome(&command.env_remove("HELM_NAMESPACE").env("CI", ci).output().unwrap()).2
    };
    let warning = "warning: namespace `default` is the fallback\nhint: name it with `-n`, so that every machine renders the \
                   same\n";
    assert_eq!(told("true"), warning);
    assert_eq!(told(""), "note: namespace `default` is the fallback\n");
    assert_eq!(told("false"), "note: namespace `default` is the fallback\n");
}

/// r8 with nothing of the environment but a namespace.
fn r8(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_r8"));
    command.args(arguments).env_clear().env("HELM_NAMESPACE", "default").stdin(Stdio::null());
    command
}

fn outcome(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// What is printed by each kind of command; the mistake in the last one goes to stderr.
const PRINTING: [&[&str]; 9] = [
    &["--help"],
    &["--version"],
    &["render", "--help"],
    &["render", "-f", VALUES],
    &["render", "-f", VALUES, "-o", "json"],
    &["explain", "-f", VALUES],
    &["validate", VALUES],
    &["templates", "list"],
    &["templates", "show", "kserve/canary"],
];

#[test]
fn a_reader_that_has_gone_ends_every_command_quietly() {
    for arguments in PRINTING {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = r8(arguments).env("HELM_NAMESPACE", "default").stdout(writer).output().unwrap();
        let (code, _, errors) = outcome(&output);
        let errors: Vec<&str> = errors.lines().filter(|line| !line.starts_with("note: the route")).collect();
        let errors: Vec<&&str> = errors.iter().filter(|line| !line.starts_with("hint: `r8 apply` writes it")).collect();
        assert_eq!((code, errors.len()), (Some(0), 0), "{arguments:?}: {errors:?}");
    }
}

#[test]
fn a_message_that_nobody_reads_changes_nothing() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let told = r8(&["render", "-f", VALUES]).output().unwrap();
    assert!(!told.stderr.is_empty());
    let untold = r8(&["render", "-f", VALUES]).stderr(writer.try_clone().unwrap()).output().unwrap();
    assert_eq!((untold.status.code(), &untold.stdout), (Some(0), &told.stdout));
    let refused = r8(&["render", "-f", "missing"]).stderr(writer).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn a_full_disk_is_a_failure_of_every_command() {
    for arguments in PRINTING {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let (code, _, errors) = outcome(&r8(arguments).stdout(full).output().unwrap());
        let told = "error: cannot write to stdout\ncause: no space left on device\n";
        assert!(errors.ends_with(told), "{arguments:?}: {errors}");
        assert_eq!(code, Some(1), "{arguments:?}");
    }
}

#[test]
fn a_header_has_no_control_characters() {
    let (code, printed, errors) = outcome(&r8(&["explain", "-f", VALUES, "--header", "a=b\rc"]).output().unwrap());
    let told = "error: `--header`: the value of a header must not contain the character '\\r'\n";
    assert_eq!((code, printed.as_str(), errors.as_str()), (Some(2), "", told));
}

#[test]
fn nothing_is_left_in_a_folder_that_cannot_take_all_files() {
    let folder = tempfile::tempdir().unwrap();
    let route = folder.path().join("r8/templates/kserve-modelmesh-istio/blue-green/route.yaml");
    fs::create_dir_all(&route).unwrap();
    let path = folder.path().to_str().unwrap();
    let (code, printed, errors) = outcome(&r8(&["render", "-f", VALUES, "--output-dir", path]).output().unwrap());
    let told = format!("error: cannot write {}\ncause: is a directory\n", route.display());
    assert!(errors.ends_with(&told), "{errors}");
    assert_eq!((code, printed.as_str()), (Some(1), ""));
    let below = |path: &Path| fs::read_dir(path).unwrap().count();
    assert_eq!(below(&folder.path().join("r8/templates")), 1);
    assert_eq!(below(&folder.path().join("r8/templates/kserve-modelmesh-istio")), 1);
}

#[test]
fn a_pipe_is_read_like_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut child = r8(&["render", "--ready", "0,1", "-f"])
        .arg(&pipe)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    fs::write(&pipe, fs::read(VALUES).unwrap()).unwrap();
    let mut printed = String::new();
    child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    assert!(child.wait().unwrap().success());
    let file = r8(&["render", "--ready", "0,1", "-f", VALUES]).output().unwrap();
    assert_eq!(printed.as_bytes(), file.stdout);
}

#[test]
fn an_endless_stdin_is_refused_at_the_limit() {
    let endless = fs::File::open("/dev/zero").unwrap();
    for arguments in [&["render", "-f", "-"][..], &["validate", "-"]] {
        let output = r8(arguments).stdin(endless.try_clone().unwrap()).output().unwrap();
        let (code, _, errors) = outcome(&output);
        assert!(errors.contains("more than 16777216 bytes, the most that r8 reads\n"), "{errors}");
        assert_eq!(code, Some(2));
    }
}

/// r8 as a user who has no rights on what others own; root may read and write everything.
fn without_rights(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = r8(arguments);
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        // The other user need not have a way to the program.
        let copy = folder.join("r8");
        // By another process: what this one holds open for writing, a child of another test may hold while it is run.
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_r8")).arg(&copy).status().unwrap();
        assert!(copied.success());
        fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
        command = Command::new(&copy);
        command.args(arguments).env_clear().env("HELM_NAMESPACE", "default").stdin(Stdio::null());
        command.uid(65534).gid(65534).current_dir("/");
    }
    command.output().unwrap()
}

#[test]
fn what_may_not_be_read_or_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (values, readable) = (folder.path().join("values.yaml"), folder.path().join("readable.yaml"));
    let closed = folder.path().join("closed");
    fs::copy(VALUES, &readable).unwrap();
    fs::copy(VALUES, &values).unwrap();
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&readable, Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(&values, Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o555)).unwrap();
    let [values, readable, closed] = [&values, &readable, &closed].map(|path| path.to_str().unwrap());
    let (code, printed, errors) = outcome(&without_rights(folder.path(), &["render", "-f", values]));
    assert_eq!(errors, format!("error: `--values {values}`: permission denied\n"));
    assert_eq!((code, printed.as_str()), (Some(2), ""));
    let arguments = ["render", "-f", readable, "--ready", "0,1", "--output-dir", closed];
    let (code, printed, errors) = outcome(&without_rights(folder.path(), &arguments));
    let file = "r8/templates/kserve-modelmesh-istio/support.yaml";
    assert_eq!(errors, format!("error: cannot write {closed}/{file}\ncause: permission denied\n"));
    assert_eq!((code, printed.as_str()), (Some(1), ""));
}

#[test]
fn stdin_is_a_release_beside_files() {
    let mut child = r8(&["validate", "-", VALUES]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&fs::read(VALUES).unwrap()).unwrap();
    let (code, printed, _) = outcome(&child.wait_with_output().unwrap());
    let line = "release wisdom: 2 versions, 7 objects, 4 sets of ready versions";
    assert_eq!(printed, format!("-: {line}\n{VALUES}: {line}\n2 releases, 14 objects: valid\n"));
    assert_eq!(code, Some(0));
}

#[test]
fn bytes_that_are_no_text_are_refused_at_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("values.yaml");
    fs::write(&path, b"environment: deployment\nx-a: caf\xe9\n").unwrap();
    let path = path.to_str().unwrap();
    let (code, _, errors) = outcome(&r8(&["render", "-f", path]).output().unwrap());
    let told = format!("error: `--values {path}`: not UTF-8\n  --> {path}:2:9\nhint: save it as UTF-8\n");
    assert_eq!((code, errors), (Some(2), told));
}

#[test]
fn words_that_are_no_text_are_refused() {
    let word = OsStr::from_bytes(b"caf\xe9");
    let before: [&[&str]; 4] = [&["render"], &["render", "-f"], &["render", "-n"], &["templates", "eject"]];
    for arguments in before {
        let (code, _, errors) = outcome(&r8(arguments).arg(word).output().unwrap());
        assert!(errors.starts_with("error: invalid UTF-8 was detected in one or more arguments\n"), "{errors}");
        assert_eq!(code, Some(2), "{arguments:?}");
    }
    let mut command = r8(&["render", "-f", VALUES]);
    let (code, _, errors) = outcome(&command.env("HELM_NAMESPACE", word).output().unwrap());
    assert!(errors.starts_with("error: `caf\u{fffd}` is not a valid namespace: "), "{errors}");
    assert_eq!(code, Some(2));
}

#[test]
fn control_characters_of_a_message_do_not_reach_the_terminal() {
    let (code, _, errors) = outcome(&r8(&["render", "a\u{1b}[31m\u{202e}b", "-f", VALUES]).output().unwrap());
    assert!(errors.starts_with("error: `a\\u001b[31m\\u202eb` is not a valid release name: "), "{errors}");
    assert_eq!(code, Some(2));
}

#[test]
fn messages_are_coloured_when_they_are_wanted_so() {
    let told = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = r8(arguments);
        outcome(&command.args(["render", "-f", "missing"]).envs(variables.iter().copied()).output().unwrap()).2
    };
    let red = "\u{1b}[1;31merror\u{1b}[0m: ";
    assert!(told(&["--color", "always"], &[("NO_COLOR", "1")]).starts_with(red));
    assert!(told(&[], &[("HELM_COLOR", "always")]).starts_with(red));
    assert!(told(&[], &[("HELM_COLOR", "always"), ("NO_COLOR", "1")]).starts_with("error: "));
    assert!(told(&["--colour", "never"], &[("HELM_COLOR", "always")]).starts_with("error: "));
    assert!(told(&[], &[]).starts_with("error: "));
}

#[test]
fn a_copy_of_the_templates_renders_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let (code, printed, _) = outcome(&r8(&["templates", "eject"]).arg(&copy).output().unwrap());
    assert_eq!((code, printed.ends_with(&format!(" files to {}\n", copy.display()))), (Some(0), true), "{printed}");
    let own = r8(&["render", "-f", VALUES, "--templates"]).arg(&copy).output().unwrap();
    let embedded = r8(&["render", "-f", VALUES]).output().unwrap();
    assert_eq!(outcome(&own), outcome(&embedded));
    // A folder that holds one file of an environment takes the rest from what is embedded.
    let template = copy.join("kserve-modelmesh-istio/version.yaml.j2");
    let text = fs::read_to_string(&template).unwrap();
    for entry in fs::read_dir(&copy).unwrap() {
        let path = entry.unwrap().path();
        fs::remove_dir_all(path).unwrap();
    }
    fs::create_dir_all(template.parent().unwrap()).unwrap();
    fs::write(&template, text.replace("predictor:\n", "predictor:\n    minReplicas: 7\n")).unwrap();
    let own = r8(&["render", "-f", VALUES, "--templates"]).arg(&copy).output().unwrap();
    let changed = outcome(&embedded).1.replace("predictor:\n", "predictor:\n    minReplicas: 7\n");
    assert_eq!(outcome(&own).1, changed);
}

/// Templates of a strategy and an environment that r8 does not have; the cases beside them show what they render.
const OWN: [(&str, &str); 2] = [
    (concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/render/templates/a-strategy-of-ones-own"), "deployment-gtw/mirror"),
    (concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/render/templates/an-environment-of-ones-own"), "batch/blue-green"),
];

#[test]
fn an_environment_or_strategy_of_ones_own_is_listed_and_shown() {
    for (case, place) in OWN {
        let folder = format!("{case}/templates");
        let (environment, strategy) = place.split_once('/').unwrap();
        let (code, listed, _) = outcome(&r8(&["templates", "list", "--templates", &folder]).output().unwrap());
        let row = listed.lines().find(|line| line.split_whitespace().next() == Some(environment)).unwrap();
        let strategies = row.split_whitespace().nth(1).unwrap();
        assert_eq!((code, strategies), (Some(0), format!("none,{strategy}").as_str()));
        let (code, shown, _) = outcome(&r8(&["templates", "show", place, "--templates", &folder]).output().unwrap());
        assert_eq!(code, Some(0));
        for file in [format!("{environment}/environment.yaml"), format!("{place}/route.yaml.j2")] {
            let text = fs::read_to_string(format!("{folder}/{file}")).unwrap();
            assert!(shown.contains(&format!("# r8/templates/{file}\n{text}\n")), "{file}: {shown}");
        }
        let (code, _, errors) = outcome(&r8(&["templates", "show", place]).output().unwrap());
        assert_eq!((code, errors.starts_with("error: ")), (Some(2), true), "{errors}");
    }
}

#[test]
fn a_copy_of_the_templates_beside_an_environment_of_ones_own_leaves_it_there() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("mine");
    fs::create_dir(&own).unwrap();
    fs::write(own.join("environment.yaml"), "doc: Mine\nbase: deployment\n").unwrap();
    let path = folder.path().to_str().unwrap();
    assert!(r8(&["templates", "eject", path]).status().unwrap().success());
    let (_, listed, errors) = outcome(&r8(&["templates", "list", "--templates", path]).output().unwrap());
    assert!(listed.lines().any(|line| line.starts_with("mine ")), "{listed}");
    assert_eq!(errors, "");
}

#[test]
fn files_are_overwritten_only_when_it_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert!(r8(&["templates", "eject", path]).status().unwrap().success());
    let table = folder.path().join("kserve/environment.yaml");
    fs::write(&table, "changed").unwrap();
    let (code, printed, errors) = outcome(&r8(&["templates", "eject", path]).output().unwrap());
    assert!(errors.starts_with(&format!("error: there are already {path}/_shared/environment.yaml, ")), "{errors}");
    assert!(errors.ends_with("hint: choose another folder, or overwrite them with `--force`\n"), "{errors}");
    assert_eq!((code, printed.as_str()), (Some(2), ""));
    assert_eq!(fs::read_to_string(&table).unwrap(), "changed");
    assert!(r8(&["templates", "eject", path, "--force"]).status().unwrap().success());
    assert_ne!(fs::read_to_string(&table).unwrap(), "changed");
}

#[test]
fn a_folder_of_templates_that_leads_back_to_itself_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let templates = folder.path().join("templates");
    fs::create_dir(&templates).unwrap();
    std::os::unix::fs::symlink("..", templates.join("loop")).unwrap();
    let (code, _, errors) = outcome(&r8(&["render", "-f", VALUES, "--templates"]).arg(&templates).output().unwrap());
    let link = templates.join("loop/templates");
    let told = format!("error: `--templates {}`: this link leads back to a folder that it is in\n", link.display());
    assert_eq!((code, errors), (Some(2), told));
}

#[test]
fn a_pipe_among_the_templates_is_refused_without_waiting_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("x.yaml.j2");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (code, _, errors) = outcome(&r8(&["render", "-f", VALUES, "--templates"]).arg(folder.path()).output().unwrap());
    let told = format!("error: `--templates {}`: this is no regular file\n", pipe.display());
    assert_eq!((code, errors), (Some(2), told));
}

#[test]
fn a_template_under_a_name_that_nobody_can_read_is_refused() {
    for (name, reason) in [(&b"caf\xe9"[..], "the name is not UTF-8"), (b"a\tb", "the name has a control character")] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(OsStr::from_bytes(name)), "").unwrap();
        let (code, _, errors) =
            outcome(&r8(&["render", "-f", VALUES, "--templates"]).arg(folder.path()).output().unwrap());
        assert!(errors.ends_with(&format!("`: {reason}\n")), "{errors}");
        assert_eq!(code, Some(2));
    }
}

#[test]
fn a_folder_of_more_than_templates_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in 0..10_001 {
        fs::File::create(folder.path().join(name.to_string())).unwrap();
    }
    let (code, _, errors) = outcome(&r8(&["render", "-f", VALUES, "--templates"]).arg(folder.path()).output().unwrap());
    let reason = "more than 10000 files and folders; name a folder of templates alone";
    assert_eq!((code, errors), (Some(2), format!("error: `--templates {}`: {reason}\n", folder.path().display())));
}

/// Values that are small and mean much: what is refused is refused within 100 MiB of its own.
#[test]
#[cfg(target_os = "linux")]
fn what_grows_when_it_is_read_is_refused_in_little_memory() {
    let mut bomb = String::from("a0: &a0 [x, x]\n");
    for level in 1..40 {
        bomb += &format!("a{level}: &a{level} [*a{0}, *a{0}, *a{0}]\n", level - 1);
    }
    let texts = ["[".repeat(100_000), format!("a: {}", "{a: ".repeat(100_000)), "- ".repeat(100_000), bomb];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.yaml");
    for text in texts {
        fs::write(&file, &text).unwrap();
        let mut command = Command::new("bash");
        let limited = "ulimit -d 102400; exec \"$0\" validate -f \"$1\"";
        command.args(["-c", limited, env!("CARGO_BIN_EXE_r8")]).arg(&file).env_clear().stdin(Stdio::null());
        let (code, _, told) = outcome(&command.output().unwrap());
        let start: String = text.chars().take(20).collect();
        assert!(code == Some(2) && told.starts_with("error: "), "{start}: {code:?} {told}");
    }
}
