//! Whether a value has what is wanted of it: the fields that are named, and perhaps others.
//!
//! Must not know: whose value it is.

use serde_json::Value;

/// In what `found` lacks what `wanted` has, a sentence for each field; objects may have more fields.
pub(crate) fn differences(found: &Value, wanted: &Value) -> Vec<String> {
    let mut all = Vec::new();
    differ(found, wanted, &mut String::new(), &mut all);
    all
}

fn differ(found: &Value, wanted: &Value, path: &mut String, all: &mut Vec<String>) {
    let named = |path: &str| if path.is_empty() { "it".to_owned() } else { path.to_owned() };
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            for (name, wanted) in wanted {
                let length = path.len();
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
                match found.get(name) {
                    Some(found) => differ(found, wanted, path, all),
                    None => all.push(format!("{path} is missing")),
                }
                path.truncate(length);
            }
        }
        (found, wanted) if found == wanted => {}
        (found, _) => all.push(format!("{} is {found}", named(path))),
    }
}
