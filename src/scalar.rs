//! What a plain scalar means: the dialect of Helm and kubectl (go-yaml v2, YAML 1.1), with exact integers.
//!
//! Both readers of YAML go by it: that of values, and that of manifests.

/// The meaning of a plain scalar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Plain {
    /// `null`, `~`, or nothing.
    Null,
    /// A boolean, also when written `yes`, `on` or `y`.
    Bool(bool),
    /// A whole number that fits `i64`.
    Int(i64),
    /// A whole number above `i64::MAX`.
    UInt(u64),
    /// Any other finite number.
    Float(f64),
    /// An infinity, or not a number: nothing that JSON has.
    NotFinite,
    /// The text itself.
    Text,
}

/// The meaning of the text of a plain scalar.
pub(crate) fn plain(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Plain::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => Plain::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => Plain::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF" | ".nan" | ".NaN"
        | ".NAN" => Plain::NotFinite,
        _ => number(text).unwrap_or(Plain::Text),
    }
}

/// The meaning of a finite number; a whole one is an integer, since Helm cannot tell `1.0` from `1`.
pub(crate) fn finite(value: f64) -> Option<Plain> {
    if !value.is_finite() {
        return None;
    }
    // Whole numbers up to 2^53 are exact in both forms.
    if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 {
        return Some(Plain::Int(value as i64));
    }
    Some(Plain::Float(value))
}

/// A number in any of the forms that go-yaml v2 reads; none for any other text.
fn number(text: &str) -> Option<Plain> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    // What begins with a point is read as it is, anything else without its `_`.
    if !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') || text.starts_with('.') && text.contains('_') {
        return None;
    }
    let digits = rest.replace('_', "");
    let marks = [("0x", 16), ("0X", 16), ("0b", 2), ("0B", 2), ("0o", 8), ("0O", 8)];
    let marked = marks.iter().find_map(|(mark, radix)| Some((digits.strip_prefix(mark)?, *radix)));
    let octal = || digits.strip_prefix('0').filter(|rest| !rest.is_empty()).map(|rest| (rest, 8));
    let (body, radix) = marked.or_else(octal).unwrap_or((digits.as_str(), 10));
    if !body.is_empty() && body.bytes().all(|byte| char::from(byte).is_digit(radix)) {
        let signed = if negative { format!("-{body}") } else { body.to_owned() };
        if let Ok(number) = i64::from_str_radix(&signed, radix) {
            return Some(Plain::Int(number));
        }
        if let Ok(number) = u64::from_str_radix(&signed, radix) {
            return Some(Plain::UInt(number));
        }
    }
    // go-yaml takes a sign behind the mark too.
    if let Some(signed) = digits.strip_prefix("0b").filter(|_| text.starts_with("0b")) {
        return i64::from_str_radix(signed, 2).ok().map(Plain::Int);
    }
    let mut bytes = digits.bytes();
    if marked.is_some() || !bytes.all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'))
    {
        return None;
    }
    let value: f64 = digits.parse().ok()?;
    finite(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_they_mean_to_helm() {
        for (text, meaning) in [
            ("y", Plain::Bool(true)),
            ("No", Plain::Bool(false)),
            ("yEs", Plain::Text),
            ("tRUE", Plain::Text),
            ("~", Plain::Null),
            ("1_000", Plain::Int(1000)),
            ("+1", Plain::Int(1)),
            ("0x1F", Plain::Int(31)),
            ("0X1F", Plain::Int(31)),
            ("0x", Plain::Text),
            ("0b11", Plain::Int(3)),
            ("0B11", Plain::Int(3)),
            ("-0B11", Plain::Int(-3)),
            ("0b2", Plain::Text),
            ("0b-1", Plain::Int(-1)),
            ("-0b-1", Plain::Text),
            ("010", Plain::Int(8)),
            ("0o10", Plain::Int(8)),
            ("0O7", Plain::Int(7)),
            ("0o_7", Plain::Int(7)),
            ("-0x10", Plain::Int(-16)),
            ("08", Plain::Int(8)),
            ("0888", Plain::Int(888)),
            ("1.", Plain::Int(1)),
            (".5", Plain::Float(0.5)),
            ("._5", Plain::Text),
            ("+._5", Plain::Float(0.5)),
            ("1_0.5", Plain::Float(10.5)),
            ("1e3", Plain::Int(1000)),
            ("+.5", Plain::Float(0.5)),
            ("1e400", Plain::Text),
            ("1:30", Plain::Text),
            ("2024-01-01", Plain::Text),
            ("9007199254740993", Plain::Int(9_007_199_254_740_993)),
            ("18446744073709551615", Plain::UInt(u64::MAX)),
            ("0xFFFFFFFFFFFFFFFF", Plain::UInt(u64::MAX)),
            ("-0xFFFFFFFFFFFFFFFF", Plain::Text),
            ("-9223372036854775808", Plain::Int(i64::MIN)),
            ("v1.0", Plain::Text),
            (".", Plain::Text),
            ("-", Plain::Text),
            ("1.2.3", Plain::Text),
            (".inf", Plain::NotFinite),
            ("inf", Plain::Text),
        ] {
            assert_eq!(plain(text), meaning, "{text}");
        }
    }
}
