//! The keys of a table: whether they fit each other and the values that the table gives them.

use indexmap::IndexMap;
use serde_json::Value;

use super::table::{Form, KeyRule};

impl KeyRule {
    /// A key whose value is not judged.
    pub(super) fn anything(doc: String) -> KeyRule {
        KeyRule {
            form: Form::Any,
            doc,
            default: None,
            example: None,
            pattern: None,
            required: false,
            required_unless: None,
            inherit: false,
            dead: None,
            extra: Vec::new(),
        }
    }
}

/// Says what is wrong with a key of a table.
pub(super) fn wrong(keys: &IndexMap<String, KeyRule>, key: &str, rule: &KeyRule) -> Option<String> {
    let parts: Vec<&str> = key.split('.').collect();
    if parts.iter().any(|part| part.trim_end_matches("[]").is_empty()) {
        return Some("has an empty part".into());
    }
    let (above, _) = key.rsplit_once('.').unwrap_or_default();
    // A list's items are declared by the list.
    let above = above.strip_suffix("[]").unwrap_or(above);
    let reached = keys.get(above).map(|above| matches!(above.form, Form::Map | Form::List));
    match reached {
        _ if above.is_empty() => {}
        Some(true) => {}
        Some(false) => return Some(format!("lies below `{above}`, which is neither a map nor a list")),
        None => return Some(format!("lies below `{above}`, which `keys` does not have")),
    }
    if let Some(unless) = &rule.required_unless {
        let sibling = key.rsplit_once('.').map_or_else(|| unless.clone(), |(above, _)| format!("{above}.{unless}"));
        if !keys.contains_key(&sibling) {
            return Some(format!("is required unless `{unless}` is there, which `keys` does not have beside it"));
        }
    }
    let default = rule.default.as_ref()?;
    let expected = expected(rule.form, default)?;
    Some(format!("has the default {default}, which is not {expected}"))
}

/// What a value of a form must be, where another value is not; other forms are judged by what they go into.
fn expected(form: Form, value: &Value) -> Option<&'static str> {
    let within = |least: i64, most: i64| value.as_i64().is_some_and(|number| (least..=most).contains(&number));
    let (expected, is) = match form {
        Form::Integer => ("a whole number", within(i64::MIN, i64::MAX)),
        Form::Weight => ("a whole number, 0 or more", within(0, i64::from(u32::MAX))),
        Form::Port => ("a port from 1 to 65535", within(1, 65535)),
        Form::Boolean => ("true or false", value.is_boolean()),
        Form::Map | Form::Labels | Form::Annotations | Form::Specification => ("a map", value.is_object()),
        Form::List | Form::Objects | Form::ContainerPorts | Form::IstioMatch | Form::GatewayMatch => {
            ("a list", value.is_array())
        }
        Form::Any | Form::ModelFormat | Form::GatewayReference => return None,
        Form::String | Form::ServiceName | Form::ObjectName | Form::Namespace | Form::Host | Form::IstioGateway => {
            ("a string", value.is_string())
        }
    };
    (!is).then_some(expected)
}
