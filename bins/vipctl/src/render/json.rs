//! Values as JSON for programs, and for people who look at it in a terminal. Loses nothing.

use serde::Serialize;

use super::text::is_steering;

/// A value on one line.
///
/// # Errors
/// The value cannot be JSON.
pub fn line<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<String> {
    serde_json::to_string(value).map(|json| escape(&json) + "\n")
}

/// A value on as many lines as it takes to be read.
///
/// # Errors
/// The value cannot be JSON.
pub fn pretty<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(|json| escape(&json) + "\n")
}

/// JSON leaves characters as they are that terminals obey; escaped they are the same to a program.
fn escape(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_steering(c) && c != '\n' {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_line_is_a_line_and_pretty_is_not() {
        let value = serde_json::json!({ "a": ["b\n"] });
        assert_eq!(line(&value).unwrap(), "{\"a\":[\"b\\n\"]}\n");
        assert_eq!(pretty(&value).unwrap(), "{\n  \"a\": [\n    \"b\\n\"\n  ]\n}\n");
    }

    proptest! {
        #[test]
        fn strings_survive_and_steer_nothing(text in any::<String>(), more in "[\\x7f-\\u{9f}\\u{2020}-\\u{2070}]{0,9}") {
            let value = Value::from(text + &more);
            let json = line(&value).unwrap();
            prop_assert!(json.trim_end_matches('\n').chars().all(|c| !is_steering(c)));
            prop_assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value);
        }
    }
}
