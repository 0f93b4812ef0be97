//! Names of network interfaces, as the kernel allows them; whether there is such an interface is not asked.

use crate::context::quote;
use crate::section::Field;

/// A name that `dev_valid_name` of net/core/dev.c takes.
pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<String> {
    let text = field.text()?;
    let fits = (1..=15).contains(&text.len()) && !matches!(text, "." | "..");
    if fits && !text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | ':')) {
        return Some(text.to_owned());
    }
    field.wrong(&quote(text), "1 to 15 bytes without spaces, \"/\" and \":\"");
    None
}
