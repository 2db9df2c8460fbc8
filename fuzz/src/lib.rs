//! What must hold for any input: the fuzz targets, without the fuzzer.
//!
//! Each function takes the bytes of one input and panics when something does not hold. The fuzzer calls them through
//! `targets/`; `tests/properties.rs` includes this file and replays the committed corpus, so that a stable toolchain does too.

mod choices;
mod pipeline;
mod places;
mod release;
mod traffic;

use r8::spec::Unknown;
use r8::values::{Source, SourceName, load};

use choices::Choices;

/// Values that an argument of `--set` is applied to.
const BASE: &str = "a: {b: 1, c: null}\nd: [x, {e: w}]\nf: &f {g: [1.5]}\nh: {<<: *f}\n";

/// Any bytes as a file, and as the argument of every kind of `--set`: values whose every node has its place in the text,
/// or a mistake with its place.
pub fn values(bytes: &[u8]) {
    command(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let file = (String::from("d"), String::from("text of a file\n"));
    let kinds = [
        SourceName::Stdin,
        SourceName::SetJson(1),
        SourceName::Set(1),
        SourceName::SetString(1),
        SourceName::SetFile(1, vec![file]),
        SourceName::SetLiteral(1),
    ];
    for name in kinds {
        let base = Source { name: SourceName::File("base.yaml".into()), text: BASE.into() };
        let sources = [base, Source { name, text: text.into() }];
        match load(&sources) {
            Ok(values) => places::check_node(values.root(), &sources),
            Err(errors) => places::check_errors(&errors, &sources),
        }
    }
}

/// Any bytes as `values.yaml`, through the whole pipeline; says whether they are a release.
pub fn render(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let sources = [Source { name: SourceName::File("values.yaml".into()), text: text.into() }];
    let named = pipeline::check(&sources, Some("wisdom"), Unknown::Refuse);
    let unnamed = pipeline::check(&sources, None, Unknown::Warn);
    named || unnamed
}

/// Bytes as choices among what the key tables allow, and a little beyond: most inputs get past the decoder.
///
/// Says whether r8 takes the release.
pub fn release(bytes: &[u8]) -> bool {
    let mut choices = Choices::new(bytes);
    let name = if choices.rarely() { None } else { Some("wisdom") };
    let unknown = if choices.rarely() { Unknown::Warn } else { Unknown::Refuse };
    let sources = release::sources(&mut choices);
    pipeline::check(&sources, name, unknown)
}

/// Gives the bytes to the command itself: it ends with 0 or 2, prints only what is good, and its messages hold no
/// control characters that a terminal would act on.
fn command(bytes: &[u8]) {
    let arguments = ["r8", "validate", "-n", "default", "-f", "-"].map(Into::into);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let code =
        r8::cli::run(arguments, &mut &*bytes, &mut stdout, &mut stderr, &|_| None, r8::cli::Terminals::default());
    let message = String::from_utf8(stderr).expect("messages are UTF-8");
    assert!(!message.contains(|c: char| c.is_control() && c != '\n'), "{message:?}");
    match code {
        0 => assert!(!stdout.is_empty()),
        2 => {
            assert!(stdout.is_empty(), "{}", String::from_utf8_lossy(&stdout));
            assert!(message.contains("error: "), "{message}");
        }
        code => panic!("exit code {code}: {message}"),
    }
}
