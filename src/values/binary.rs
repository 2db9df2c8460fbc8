//! The texts that a `!!binary` holds.

/// The text that a `!!binary` holds in base64, blanks and line ends left out; none for anything else.
pub(super) fn read(text: &str) -> Option<String> {
    let digit = |byte: u8| {
        let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        digits.iter().position(|known| *known == byte).map(|value| value as u32)
    };
    let written: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let mut bytes = Vec::with_capacity(written.len() / 4 * 3);
    for (index, four) in written.chunks(4).enumerate() {
        let last = (index + 1) * 4 >= written.len();
        let padding = four.iter().rev().take_while(|byte| **byte == b'=').count();
        if four.len() < 4 || padding > 2 || padding > 0 && !last {
            return None;
        }
        let digits = four.iter().take(4 - padding).map(|byte| digit(*byte)).collect::<Option<Vec<u32>>>()?;
        let bits = digits.iter().fold(0, |bits, value| bits << 6 | value) << (6 * padding);
        bytes.extend(bits.to_be_bytes().iter().skip(1).take(3 - padding));
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_is_base64_of_a_text() {
        assert_eq!(read("aGVsbG8="), Some("hello".into()));
        assert_eq!(read("aGVs\n bG8h"), Some("hello!".into()));
        assert_eq!(read(""), Some(String::new()));
        for text in ["a", "aGVsbG8", "aG=sbG8=", "====", "aGVsbG8?", "/w=="] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
