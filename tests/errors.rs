//! Every error text has a case: each `#[error("…")]` of the library, and each text that the commands without a cluster
//! refuse something with, stands in a `want.err`, a `want.warn` or a transcript below `testdata`, in `tests/cli.rs`, or
//! below in the list of those that no input brings about.

#[path = "parts/files.rs"]
mod files;

use std::fs;
use std::path::{Path, PathBuf};

use files::files;
use regex_lite::Regex;

/// Whose texts must have a case.
const MODULES: [&str; 7] = ["values", "spec", "templates", "render", "manifest", "route", "target"];

/// Files of the command line whose texts must have a case; those of the cluster have tests with a server.
const COMMANDS: [&str; 12] = [
    "explain",
    "failure",
    "files",
    "glob",
    "helm",
    "kubeconfig",
    "read",
    "render",
    "request",
    "sources",
    "templates",
    "validate",
];

/// Texts without a case: file, text, and why no input brings it about by itself.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("cli/glob.rs", "nothing stands behind `\\`", "a transcript has it, and writes `/` for `\\`"),
    ("manifest/mod.rs", "cannot write YAML: {0}", "plain JSON can always be written"),
    ("manifest/mod.rs", "unknown role `{0}`", "roles are read back from records; a test of the module reads one"),
    ("manifest/read.rs", "{message}", "the words of the YAML reader"),
    ("render/error.rs", "{0}", "the words of the error inside"),
    (
        "render/error.rs",
        "template `{file}` writes too much: more than {most} bytes of all templates together",
        "needs 32 MiB; a case has a user's template that writes them",
    ),
    ("route.rs", "{0}", "the words of the error inside"),
    ("spec/error.rs", "{problem}", "the words of the problem inside"),
    ("templates/error.rs", "{message}", "the words of the YAML reader"),
    (
        "values/error.rs",
        "a text of {found} bytes, at most {most} are read",
        "needs 16 MiB; a test of the module makes them",
    ),
    ("values/error.rs", "more than {0} lines", "needs a million lines; a test of the module makes them"),
    ("values/set_json.rs", "nothing to read", "the same text has been read as a value just before"),
    ("values/error.rs", "{problem}", "the words of the problem inside"),
];

#[test]
fn every_error_text_has_a_case() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    for path in files(&root.join("src")) {
        let file = path.strip_prefix(root.join("src")).unwrap().to_str().unwrap().to_owned();
        if MODULES.contains(&file.split(['/', '.']).next().unwrap()) {
            texts.extend(error_texts(&fs::read_to_string(&path).unwrap()).into_iter().map(|text| (file.clone(), text)));
        }
    }
    assert!(texts.len() > 60, "only {} texts were found", texts.len());
    let of_modules = texts.len();
    let of_commands = COMMANDS.map(|name| format!("cli/{name}.rs"));
    for file in of_commands.into_iter().chain(["spec/name.rs", "values/set_json.rs"].map(str::to_owned)) {
        let code = fs::read_to_string(root.join("src").join(&file)).unwrap();
        texts.extend(refusals(&code).into_iter().map(|text| (file.clone(), text)));
    }
    assert!(texts.len() - of_modules > 30, "only {} texts were found", texts.len() - of_modules);
    // What needs a file or a stream of its own is written out in the tests.
    let written_out = fs::read_to_string(root.join("tests/cli.rs")).unwrap().replace("\\\"", "\"");
    let cases = cases(&root.join("testdata")) + &written_out;
    let mut faults = Vec::new();
    for (file, text) in &texts {
        let excepted = EXCEPTIONS.iter().any(|(known, words, _)| known == file && words == text);
        match (excepted, has_case(text, &cases)) {
            (false, false) => faults.push(format!("src/{file}: no case has `{text}`")),
            (true, true) => faults.push(format!("src/{file}: `{text}` has a case and needs no exception")),
            _ => {}
        }
    }
    for (file, text, _) in EXCEPTIONS {
        if !texts.iter().any(|(known, words)| known == file && words == text) {
            faults.push(format!("src/{file}: there is no text `{text}`, drop the exception"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whether a line of a case holds a text, any words standing for its placeholders; a text of placeholders alone holds
/// another's words and is no text of its own.
fn has_case(text: &str, cases: &str) -> bool {
    let (parts, own) = parts(text);
    own && Regex::new(&parts.join(".*")).unwrap().is_match(cases)
}

/// The literal parts of a format string as patterns, and whether there is anything literal.
fn parts(text: &str) -> (Vec<String>, bool) {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '{' | '}' if characters.next_if_eq(&character).is_some() => part.push(character),
            '{' => {
                while characters.next().is_some_and(|c| c != '}') {}
                parts.push(std::mem::take(&mut part));
            }
            _ => part.push(character),
        }
    }
    parts.push(part);
    let own = parts.iter().any(|part| part.contains(char::is_alphabetic));
    (parts.iter().map(|part| regex_lite::escape(part)).collect(), own)
}

/// The texts of all `#[error("…")]` of a file.
fn error_texts(code: &str) -> Vec<String> {
    let attribute = Regex::new(r#"#\[error\(\s*"((?:[^"\\]|\\.)*)""#).unwrap();
    let unescape = |text: &str| text.replace("\\\"", "\"").replace("\\\\", "\\");
    attribute.captures_iter(code).map(|found| unescape(&found[1])).collect()
}

/// The texts that a file of the command line refuses something with: the first text of each call that makes a failure, and
/// those that a function gives as what is wrong.
fn refusals(code: &str) -> Vec<String> {
    let code = code.split("#[cfg(test)]").next().unwrap();
    let text = r#"(?:&?format!\(\s*)?"((?:[^"\\]|\\.|\\\n)*)""#;
    let calls = r"(?:Failure::usage|Failure::system|Fault::new|fault|message|Err|ok_or|Json)";
    let call = Regex::new(&format!(r"\b{calls}\(\s*(?:&?path, (?:flag, )?|&link, |\(\w+(?:\.\w+)?(?: - 1)?, )?{text}"))
        .unwrap();
    let unescape = |text: &str| {
        let text = Regex::new(r"\\\n\s*").unwrap().replace_all(text, "").into_owned();
        text.replace("\\\"", "\"").replace("\\\\", "\\")
    };
    // What is all placeholders are another's words.
    call.captures_iter(code).map(|found| unescape(&found[1])).filter(|text| parts(text).1).collect()
}

/// Everything that r8 is known to write, one line after the other.
fn cases(folder: &Path) -> String {
    let is_case = |path: &PathBuf| {
        path.ends_with("want.err") || path.ends_with("want.warn") || path.parent().is_some_and(|p| p.ends_with("cli"))
    };
    let cases = files(folder).into_iter().filter(is_case);
    cases.map(|path| fs::read_to_string(path).unwrap() + "\n").collect()
}

#[test]
fn a_text_is_found_by_its_words() {
    let text = &error_texts("#[error(\n    \"`{name}` is \\\"{0}\\\", not {{}}\"\n)]")[0];
    assert_eq!(text, "`{name}` is \"{0}\", not {{}}");
    assert!(has_case(text, "error: `a` is \"b c\", not {} at all\n"));
    assert!(!has_case(text, "error: `a` is \"b\nc\", not {}\n"));
    assert!(!has_case("{problem}", "anything"));
}
