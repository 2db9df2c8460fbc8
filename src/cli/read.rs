//! Reading files and stdin, never more than r8 takes.

use std::fs::File;
use std::io::{self, ErrorKind, Read};

use super::failure::{Fault, Place};
use super::secret;
use crate::values::MAX_BYTES;

/// Reads a file, or stdin for `-`; `flag` is what named it.
pub(super) fn text(path: &str, flag: &str, stdin: &mut dyn Read) -> Result<String, Fault> {
    if path.trim() == "-" {
        return whole(stdin, "-", "stdin", flag);
    }
    if path.contains("://") {
        return Err(fault(path, flag, "r8 does not fetch addresses", Some("fetch it first and give it with `-f -`")));
    }
    file(path, flag)
}

/// Reads a file.
pub(super) fn file(path: &str, flag: &str) -> Result<String, Fault> {
    let mut file = File::open(path).map_err(|error| fault(path, flag, &reason(&error), None))?;
    whole(&mut file, path, path, flag)
}

fn whole(reader: &mut dyn Read, path: &str, name: &str, flag: &str) -> Result<String, Fault> {
    let bytes = bytes(reader).map_err(|error| fault(path, flag, &reason(&error), None))?;
    let Some(bytes) = bytes else {
        return Err(fault(path, flag, &format!("more than {MAX_BYTES} bytes, the most that r8 reads"), None));
    };
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(error.as_bytes().get(..good).unwrap_or_default()).into_owned();
        let line = before.matches('\n').count() as u32 + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() as u32 + 1;
        let place = Place { path: name.to_owned(), line: Some(line), column: Some(column), text: None };
        Fault { place: Some(place), ..fault(path, flag, "not UTF-8", Some("save it as UTF-8")) }
    })
}

/// A mistake about a file; what was meant for `--set` and given as a path does not show a secret.
fn fault(path: &str, flag: &str, reason: &str, hint: Option<&str>) -> Fault {
    Fault::new(format!("`{flag} {}`: {reason}", secret::shown(path)), hint)
}

/// The whole content; none when it is more than the values may have, however much more there is.
fn bytes(reader: &mut dyn Read) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    reader.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= MAX_BYTES).then_some(bytes))
}

/// Why a file cannot be read.
pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".into(),
        ErrorKind::IsADirectory => "this is a directory; name a file".into(),
        ErrorKind::PermissionDenied => "permission denied".into(),
        _ => plain(error),
    }
}

/// What the operating system says, without its number.
pub(super) fn plain(error: &io::Error) -> String {
    error.to_string().split(" (os error").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endless_reader_is_refused_without_reading_on() {
        let fault = text("-", "--values", &mut io::repeat(b'a')).unwrap_err();
        assert_eq!(fault.message, "`--values -`: more than 16777216 bytes, the most that r8 reads");
    }

    #[test]
    fn the_largest_text_is_read_whole() {
        let read = text("-", "--values", &mut io::repeat(b'a').take(MAX_BYTES as u64)).unwrap();
        assert_eq!(read.len(), MAX_BYTES);
    }

    #[test]
    fn bytes_that_are_no_text_are_reported_at_their_place() {
        let fault = text("-", "--values", &mut &b"a: 1\n\xc3\xa9\xff"[..]).unwrap_err();
        let place = Place { path: "stdin".into(), line: Some(2), column: Some(2), text: None };
        assert_eq!(fault.place, Some(place));
    }
}
