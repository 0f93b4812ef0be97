//! Bytes as text. Must not know what they mean.

use std::fmt::Write;

/// Bytes from hex.
///
/// # Errors
/// What is no hex.
pub fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    digits
        .map(byte)
        .collect::<Option<_>>()
        .filter(|_| text.len().is_multiple_of(2))
        .ok_or(format!("no hex: {text}"))
}

/// Bytes as hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
