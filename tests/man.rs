//! Pages of the manual: which there are, what stands in them, and what the programs that read them say of them.

#[path = "parts/skipped.rs"]
mod here;

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use here::skipped;

fn r8(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_r8")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// All pages by their file's name.
fn pages() -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("man1");
    let (code, printed, errors) = r8(&["man", "--output-dir", path.to_str().unwrap()]);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let files = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap());
    let pages: BTreeMap<String, String> =
        files.map(|file| (file.file_name().into_string().unwrap(), fs::read_to_string(file.path()).unwrap())).collect();
    assert_eq!(printed, format!("wrote {} files to {}\n", pages.len(), path.display()));
    pages
}

/// The names of the commands that the help of a command lists.
fn listed(words: &[&str]) -> Vec<String> {
    let help = r8(&[words, &["--help"]].concat()).1;
    let Some((_, rest)) = help.split_once("Commands:\n") else { return Vec::new() };
    let rows = rest.split("\n\n").next().unwrap().lines().filter(|line| !line.starts_with("   "));
    let names = rows.map(|line| line.split_whitespace().next().unwrap().to_owned());
    names.filter(|name| name != "help").collect()
}

#[test]
fn every_command_of_the_help_has_a_page_and_no_other_has() {
    let mut expected = vec!["r8.1".to_owned()];
    for command in listed(&[]) {
        expected.extend(listed(&[&command]).iter().map(|below| format!("r8-{command}-{below}.1")));
        expected.push(format!("r8-{command}.1"));
    }
    expected.sort();
    assert_eq!(pages().into_keys().collect::<Vec<_>>(), expected);
}

#[test]
fn a_page_is_printed_by_the_words_of_its_command() {
    let pages = pages();
    for (name, words) in
        [("r8.1", &[][..]), ("r8-render.1", &["render"]), ("r8-templates-show.1", &["templates", "show"])]
    {
        assert_eq!(r8(&[&["man"], words].concat()), (Some(0), pages[name].clone(), String::new()));
    }
}

#[test]
fn a_page_has_every_part_of_the_help() {
    for (name, page) in pages() {
        let title = name.trim_end_matches(".1");
        let words: Vec<&str> = title.split('-').skip(1).collect();
        let help = r8(&[&words[..], &["--help"]].concat()).1;
        assert!(page.contains(&format!("\n.TH {} 1 \"\" \"r8 ", title.to_uppercase())), "{name}: {page}");
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "\"SEE ALSO\""] {
            assert_eq!(page.matches(&format!("\n.SH {section}\n")).count(), 1, "{name}: {section}");
        }
        assert_eq!(page.contains("\n.SH EXAMPLES\n"), help.contains("\nExample"), "{name}");
        for flag in help
            .lines()
            .filter_map(|line| line.trim_start().split_once("--"))
            .filter(|(before, _)| before.is_empty() || (before.starts_with('-') && before.ends_with(", ")))
        {
            let flag = flag.1.split([' ', '[', '=']).next().unwrap().replace('-', "\\-");
            assert!(page.contains(&format!("\\-\\-{flag}\\fR")), "{name}: {flag}");
        }
        let lines: Vec<&str> = page.lines().collect();
        for pair in lines.windows(2).filter(|pair| pair[0].starts_with("\\fB\\-")) {
            assert!(!pair[1].is_empty() && !pair[1].starts_with('.'), "{name}: {} has no text", pair[0]);
        }
        let usage = help.lines().find_map(|line| line.strip_prefix("Usage: ")).unwrap();
        let rest = usage.strip_prefix(&format!("r8 {}", words.join(" "))).unwrap_or_default().trim_start();
        assert!(page.contains(&format!("\\fR {rest}\n.SH DESCRIPTION\n")), "{name}: {usage}");
        for example in help.lines().filter_map(|line| line.strip_prefix("  r8 ")).filter(|line| line.contains(" -")) {
            let example = example.replace('\\', "\\\\").replace('-', "\\-").replace('\'', "\\*(Aq");
            assert!(page.contains(&format!("\nr8 {example}\n")), "{name}: {example}");
        }
    }
}

#[test]
fn flags_and_verbs_of_helms_have_no_place_in_the_manual() {
    for (name, page) in pages() {
        for hidden in ["\\-\\-repo", "\\-\\-release\\-name", "r8\\-upgrade", "r8\\-uninstall", "\\fICHART"] {
            assert!(!page.contains(hidden), "{name}: {hidden}");
        }
    }
}

#[test]
fn words_that_are_no_command_have_no_page() {
    let (code, printed, errors) = r8(&["man", "templates", "shw"]);
    assert_eq!((code, printed.as_str()), (Some(2), ""));
    assert_eq!(errors, "error: there is no page of `r8 templates shw`\nhint: choose one of list, show, eject\n");
    let (code, _, errors) = r8(&["man", "render", "x"]);
    assert_eq!(errors, "error: there is no page of `r8 render x`\nhint: the page is that of `r8 render`\n");
    assert_eq!(code, Some(2));
    // Helm's verbs have none of their own.
    assert_eq!(r8(&["man", "upgrade"]).0, Some(2));
}

/// What a program says of each page on stderr or stdout, except in lines that are `accepted`.
fn complaints(program: &str, arguments: &[&str], accepted: &[&str]) -> Option<String> {
    if Command::new(program).arg("-V").stdin(Stdio::null()).output().is_err() {
        skipped(&format!("there is no {program}"));
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut all = String::new();
    for (name, page) in pages() {
        let path = folder.path().join(&name);
        fs::write(&path, page).unwrap();
        let output = Command::new(program).args(arguments).arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        let lines = said.lines().filter(|line| !accepted.iter().any(|accepted| line.contains(accepted)));
        all.extend(lines.map(|line| format!("{name}: {line}\n")));
    }
    Some(all)
}

#[test]
fn groff_has_nothing_to_say_of_a_page() {
    if let Some(complaints) = complaints("groff", &["-man", "-ww", "-Kutf8", "-Tutf8", "-z"], &[]) {
        assert_eq!(complaints, "");
    }
}

#[test]
fn mandoc_has_nothing_to_say_of_a_page_but_that_it_is_of_no_date() {
    let accepted = ["missing date"];
    if let Some(complaints) = complaints("mandoc", &["-T", "lint", "-W", "warning"], &accepted) {
        assert_eq!(complaints, "");
    }
}
