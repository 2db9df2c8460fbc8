//! What a plain scalar means: the dialect of Helm and kubectl (go-yaml v2, YAML 1.1), with exact integers.

use super::Kind;

/// The kind of a plain scalar; an error for infinities and NaN, which JSON does not have.
pub(super) fn plain(text: &str) -> Result<Kind, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => Kind::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => Kind::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF" | ".nan" | ".NaN"
        | ".NAN" => return Err(text.to_owned()),
        _ => number(text).unwrap_or_else(|| Kind::String(text.to_owned())),
    })
}

/// A number in any of the forms that go-yaml v2 reads; none for any other text.
fn number(text: &str) -> Option<Kind> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let digits = rest.replace('_', "");
    let marks = [("0x", 16), ("0X", 16), ("0b", 2), ("0o", 8)];
    let marked = marks.iter().find_map(|(mark, radix)| Some((digits.strip_prefix(mark)?, *radix)));
    let octal = || digits.strip_prefix('0').filter(|rest| !rest.is_empty()).map(|rest| (rest, 8));
    let (body, radix) = marked.or_else(octal).unwrap_or((digits.as_str(), 10));
    if !body.is_empty() && body.bytes().all(|byte| char::from(byte).is_digit(radix)) {
        let signed = if negative { format!("-{body}") } else { body.to_owned() };
        if let Ok(number) = i64::from_str_radix(&signed, radix) {
            return Some(Kind::Int(number));
        }
        if let Ok(number) = u64::from_str_radix(&signed, radix) {
            return Some(Kind::UInt(number));
        }
    }
    let mut bytes = digits.bytes();
    if marked.is_some() || !bytes.all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'))
    {
        return None;
    }
    let value: f64 = digits.parse().ok()?;
    finite(if negative { -value } else { value })
}

/// The text that a `!!binary` holds in base64, blanks and line ends left out; none for anything else.
pub(super) fn binary(text: &str) -> Option<String> {
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

/// A finite number; a whole one as an integer, since Helm cannot tell `1.0` from `1`.
pub(super) fn finite(value: f64) -> Option<Kind> {
    if !value.is_finite() {
        return None;
    }
    // Whole numbers up to 2^53 are exact in both forms.
    if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 {
        return Some(Kind::Int(value as i64));
    }
    Some(Kind::Float(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_is_base64_of_a_text() {
        assert_eq!(binary("aGVsbG8="), Some("hello".into()));
        assert_eq!(binary("aGVs\n bG8h"), Some("hello!".into()));
        assert_eq!(binary(""), Some(String::new()));
        for text in ["a", "aGVsbG8", "aG=sbG8=", "====", "aGVsbG8?", "/w=="] {
            assert_eq!(binary(text), None, "{text}");
        }
    }

    #[test]
    fn plain_scalars_mean_what_they_mean_to_helm() {
        let string = |text: &str| Kind::String(text.into());
        for (text, kind) in [
            ("y", Kind::Bool(true)),
            ("No", Kind::Bool(false)),
            ("yEs", string("yEs")),
            ("tRUE", string("tRUE")),
            ("~", Kind::Null),
            ("1_000", Kind::Int(1000)),
            ("+1", Kind::Int(1)),
            ("0x1F", Kind::Int(31)),
            ("0X1F", Kind::Int(31)),
            ("0b11", Kind::Int(3)),
            ("010", Kind::Int(8)),
            ("0o10", Kind::Int(8)),
            ("-0x10", Kind::Int(-16)),
            ("08", Kind::Int(8)),
            ("0888", Kind::Int(888)),
            ("1.", Kind::Int(1)),
            (".5", Kind::Float(0.5)),
            ("1e3", Kind::Int(1000)),
            ("+.5", Kind::Float(0.5)),
            ("1e400", string("1e400")),
            ("1:30", string("1:30")),
            ("2024-01-01", string("2024-01-01")),
            ("9007199254740993", Kind::Int(9_007_199_254_740_993)),
            ("18446744073709551615", Kind::UInt(u64::MAX)),
            ("-9223372036854775808", Kind::Int(i64::MIN)),
            ("v1.0", string("v1.0")),
            (".", string(".")),
            ("-", string("-")),
            ("1.2.3", string("1.2.3")),
        ] {
            assert_eq!(plain(text), Ok(kind), "{text}");
        }
        assert!(plain(".inf").is_err());
    }
}
