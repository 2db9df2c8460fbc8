//! The bytes of a record: JSON as Go writes it, gzip, base64.

use std::io::{self, Read, Write};

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

use super::RecordError;

/// The most bytes that a record may have when it is unpacked: far above what an API server holds of text that is no bomb.
pub(super) const MAX_UNPACKED: usize = 32 * 1024 * 1024;
/// What gzip begins with.
const GZIP: [u8; 3] = [0x1f, 0x8b, 0x08];

/// Base64 as Go's `StdEncoding` reads it: padded, bits behind the end not looked at.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Bytes as base64.
pub(super) fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// The bytes of a base64 text; line breaks are passed over, as Go does it.
pub(super) fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    if text.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        let text: Vec<u8> = text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
        return BASE64.decode(text).ok();
    }
    BASE64.decode(text).ok()
}

/// Packs JSON as Helm does: written as Go writes it, gzip at its best, base64.
pub(super) fn pack(json: &Value) -> Result<String, RecordError> {
    let failed = |error: io::Error| RecordError::Gzip(error.to_string());
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(&go_json(json)?).map_err(failed)?;
    Ok(base64(&packer.finish().map_err(failed)?))
}

/// Unpacks the data of a record; old ones were not compressed.
pub(super) fn unpack(data: &[u8]) -> Result<Value, RecordError> {
    let packed = from_base64(data).ok_or(RecordError::Base64)?;
    let json = if packed.len() > GZIP.len() && packed.starts_with(&GZIP) {
        let mut unpacked = Vec::new();
        let mut unpacker = MultiGzDecoder::new(packed.as_slice()).take(MAX_UNPACKED as u64 + 1);
        unpacker.read_to_end(&mut unpacked).map_err(|error| RecordError::Gzip(error.to_string()))?;
        unpacked
    } else {
        packed
    };
    if json.len() > MAX_UNPACKED {
        return Err(RecordError::Bomb);
    }
    serde_json::from_slice(&json).map_err(|error| RecordError::Json(error.to_string()))
}

/// JSON, byte for byte as Go's `json.Marshal` writes it.
pub(super) fn go_json(json: &Value) -> Result<Vec<u8>, RecordError> {
    let mut out = Vec::new();
    let mut writer = Serializer::with_formatter(&mut out, Go);
    serde::Serialize::serialize(json, &mut writer).map_err(|error| RecordError::Json(error.to_string()))?;
    Ok(out)
}

/// What Go writes otherwise than others: characters that HTML minds, and floats.
struct Go;

impl Formatter for Go {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        let size = value.abs();
        if size != 0.0 && !(1e-6..1e21).contains(&size) {
            let text = format!("{value:e}");
            let text = if size < 1.0 { text } else { text.replace('e', "e+") };
            return writer.write_all(text.as_bytes());
        }
        write!(writer, "{value}")
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (before, after) = rest.split_at(at);
            let odd = after.chars().next().unwrap_or_default();
            write!(writer, "{before}\\u{:04x}", u32::from(odd))?;
            rest = after.get(odd.len_utf8()..).unwrap_or_default();
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn json_is_what_go_writes() {
        let json =
            json!({"b": "<a href='x'>&\u{2028}é\"\\\n\u{8}\u{1}", "a": [1.0, 0.25, 1e21, 1.5e-7, 1e20, -0.0, 3, -4]});
        // Printed by Go 1.26.
        let written = "{\"b\":\"\\u003ca href='x'\\u003e\\u0026\\u2028é\\\"\\\\\\n\\b\\u0001\",\
                       \"a\":[1,0.25,1e+21,1.5e-7,100000000000000000000,-0,3,-4]}";
        assert_eq!(String::from_utf8(go_json(&json).unwrap()).unwrap(), written);
    }

    #[test]
    fn packed_bytes_begin_as_gos() {
        let packed = from_base64(pack(&json!({"a": 1})).unwrap().as_bytes()).unwrap();
        assert_eq!(packed[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
    }

    #[test]
    fn a_record_without_gzip_and_one_with_line_breaks_are_read() {
        let plain = base64(b"{\"a\":1}");
        assert_eq!(unpack(plain.as_bytes()).unwrap(), json!({"a": 1}));
        let (one, two) = plain.split_at(4);
        assert_eq!(unpack(format!("{one}\r\n{two}\n").as_bytes()).unwrap(), json!({"a": 1}));
    }

    #[test]
    fn a_bomb_is_refused() {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&vec![b' '; MAX_UNPACKED + 1]).unwrap();
        let bomb = base64(&packer.finish().unwrap());
        assert!(bomb.len() < 1_000_000);
        assert!(matches!(unpack(bomb.as_bytes()), Err(RecordError::Bomb)));
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        let whole = pack(&json!({"a": "b".repeat(50)})).unwrap();
        assert!(matches!(unpack(&whole.as_bytes()[..40]), Err(RecordError::Gzip(_))));
        assert!(matches!(unpack(&whole.as_bytes()[..41]), Err(RecordError::Base64)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(&bytes);
            let _ = unpack(base64(&bytes).as_bytes());
            let _ = unpack(base64(&[&GZIP[..], &bytes].concat()).as_bytes());
        }
    }
}
