//! Reading files and stdin, never more than r8 takes.

use std::fs::File;
use std::io::{self, ErrorKind, Read};

use super::failure::{Fault, Place};
use super::secret;
use crate::values::MAX_BYTES;

/// The bytes that one run may still read.
pub(super) struct Left(usize);

impl Left {
    /// Everything.
    pub fn all() -> Left {
        Left(MAX_BYTES)
    }
}

/// Reads a file, or stdin for `-`; `flag` is what named it.
pub(super) fn text(path: &str, flag: &str, stdin: &mut dyn Read, left: &mut Left) -> Result<String, Fault> {
    if path.trim() == "-" {
        return whole(stdin, "-", "stdin", flag, left);
    }
    if path.contains("://") {
        return Err(fault(path, flag, "r8 does not fetch addresses", Some("fetch it first and give it with `-f -`")));
    }
    file(path, flag, left)
}

/// Reads a file.
pub(super) fn file(path: &str, flag: &str, left: &mut Left) -> Result<String, Fault> {
    let mut file = File::open(path).map_err(|error| fault(path, flag, &reason(&error), None))?;
    whole(&mut file, path, path, flag, left)
}

fn whole(reader: &mut dyn Read, path: &str, name: &str, flag: &str, left: &mut Left) -> Result<String, Fault> {
    let bytes = bytes(reader, left).map_err(|error| fault(path, flag, &reason(&error), None))?;
    let Some(bytes) = bytes else {
        let together = if left.0 < MAX_BYTES { "together with what was read before " } else { "" };
        let reason = format!("{together}more than {MAX_BYTES} bytes, the most that r8 reads");
        return Err(fault(path, flag, &reason, None));
    };
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(error.as_bytes().get(..good).unwrap_or_default()).into_owned();
        let line = before.matches('\n').count() as u32 + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() as u32 + 1;
        let place = Place { path: name.to_owned(), line: Some(line), column: Some(column), length: None, text: None };
        Fault { place: Some(place), ..fault(path, flag, "not UTF-8", Some("save it as UTF-8")) }
    })
}

/// A mistake about a file; what was meant for `--set` and given as a path does not show a secret.
fn fault(path: &str, flag: &str, reason: &str, hint: Option<&str>) -> Fault {
    Fault::new(format!("`{flag} {}`: {reason}", secret::shown(path)), hint)
}

/// The whole content; none when it is more than is left, however much more there is.
fn bytes(reader: &mut dyn Read, left: &mut Left) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    reader.take(left.0 as u64 + 1).read_to_end(&mut bytes)?;
    let Some(rest) = left.0.checked_sub(bytes.len()) else { return Ok(None) };
    left.0 = rest;
    Ok(Some(bytes))
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
        let fault = text("-", "--values", &mut io::repeat(b'a'), &mut Left::all()).unwrap_err();
        assert_eq!(fault.message, "`--values -`: more than 16777216 bytes, the most that r8 reads");
    }

    #[test]
    fn the_largest_text_is_read_whole() {
        let read = text("-", "--values", &mut io::repeat(b'a').take(MAX_BYTES as u64), &mut Left::all()).unwrap();
        assert_eq!(read.len(), MAX_BYTES);
    }

    #[test]
    fn what_is_read_before_counts() {
        let mut left = Left::all();
        let mut read = |count: usize| text("-", "--values", &mut io::repeat(b'a').take(count as u64), &mut left);
        assert!(read(10).is_ok());
        assert!(read(MAX_BYTES - 11).is_ok());
        let message =
            "`--values -`: together with what was read before more than 16777216 bytes, the most that r8 reads";
        assert_eq!(read(2).unwrap_err().message, message);
        assert!(read(1).is_ok());
    }

    #[test]
    fn bytes_that_are_no_text_are_reported_at_their_place() {
        let fault = text("-", "--values", &mut &b"a: 1\n\xc3\xa9\xff"[..], &mut Left::all()).unwrap_err();
        let place = Place { path: "stdin".into(), line: Some(2), column: Some(2), length: None, text: None };
        assert_eq!(fault.place, Some(place));
    }
}
