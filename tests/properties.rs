//! What must hold for any input, through the library's public API: bytes as values, texts in every place where a user
//! writes one, `--set` arguments and merging.

#[path = "properties/merge.rs"]
mod merge;
mod parts;
#[path = "properties/set.rs"]
mod set;
#[path = "../fuzz/src/lib.rs"]
mod targets;
#[path = "properties/texts.rs"]
mod texts;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use proptest::prelude::*;

/// The inputs that the fuzzer has found to lead through different code, in the order of their names.
fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Gives every input of a target's corpus to its function; says of how many that gives true.
fn replay(target: &str, function: impl Fn(&[u8]) -> bool) -> usize {
    let files = corpus(target);
    assert!(files.len() >= 100, "the corpus of {target} has {} inputs", files.len());
    let run = |file: &PathBuf| {
        let bytes = std::fs::read(file).unwrap();
        catch_unwind(AssertUnwindSafe(|| function(&bytes))).map_err(|_| file.display().to_string())
    };
    let results: Vec<Result<bool, String>> = files.iter().map(run).collect();
    let failed: Vec<&str> = results.iter().filter_map(|result| result.as_ref().err()).map(String::as_str).collect();
    assert!(failed.is_empty(), "fails for\n{}", failed.join("\n"));
    results.iter().filter(|result| **result == Ok(true)).count()
}

#[test]
fn no_input_of_the_corpus_breaks_the_values_reader() {
    replay("values", |bytes| {
        targets::values(bytes);
        true
    });
}

#[test]
fn no_input_of_the_corpus_breaks_the_pipeline() {
    let accepted = replay("render", targets::render);
    assert!(accepted > 10, "{accepted} inputs are releases");
}

#[test]
fn no_release_of_the_corpus_breaks_a_rule() {
    let accepted = replay("release", targets::release);
    assert!(accepted > 40, "{accepted} inputs are releases");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_bytes_give_values_or_a_mistake_with_its_place(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        targets::values(&bytes);
    }

    #[test]
    fn any_text_like_values_gives_values_or_a_mistake_with_its_place(
        text in "(a|b: |- |\n|\n  |&x |\\*x|<<: |\"|'|\\||>|\\{|\\}|\\[|\\]|,|\\\\|#|---\n|\\.\\.\\.\n|!!str |\t|\r|\u{e9}|\u{85}|0x1F|=)*"
    ) {
        targets::values(text.as_bytes());
    }

    #[test]
    fn any_choices_give_a_right_release_or_a_mistake_with_its_place(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        targets::release(&bytes);
    }
}
