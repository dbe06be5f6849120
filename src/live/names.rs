//! The names of a run: keys and texts as the server gets them.
//!
//! Must not know: who acts on the server.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    base::Target,
    scenario::plan::{Action, Plan},
};

/// The names of a run: what is added to keys so that no two runs meet.
#[derive(Clone, Debug)]
pub(super) struct Names {
    prefix: String,
    keys: BTreeSet<String>,
}

impl Names {
    /// The names of a run of `plan`; `objects` are the keys of objects that it comes to, whoever calls them.
    pub(super) fn new(plan: &Plan, objects: BTreeSet<String>, prefix: &str) -> Self {
        let mut keys = objects;
        for step in &plan.steps {
            if let Action::Call { target, .. } | Action::Send { target, .. } = &step.action {
                keys.insert(target.key.to_string());
            }
        }
        keys.extend(plan.state.iter().map(|state| state.key.clone()));
        keys.remove("");
        Self { prefix: prefix.to_owned(), keys }
    }

    /// The same names, with one more key.
    pub(super) fn with_key(&self, key: &str) -> Self {
        let mut all = self.clone();
        if !key.is_empty() {
            all.keys.insert(key.to_owned());
        }
        all
    }

    /// A key as the server gets it.
    pub(super) fn own(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// A target as the server gets it.
    pub(super) fn own_target(&self, target: &Target) -> Target {
        let Target { service, key, handler } = target;
        let key = if key.is_empty() { String::new() } else { self.own(key) };
        Target::new(service, &key, handler)
    }

    /// A path as the server gets it: what follows the name of a service whose objects have keys is a key.
    pub(super) fn own_path(&self, path: &str, keyed: impl Fn(&str) -> bool) -> String {
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, format!("?{query}")),
            None => (path, String::new()),
        };
        let (mut own, mut after_service) = (Vec::new(), false);
        for part in path.split('/') {
            let key = after_service && !part.is_empty();
            own.push(if key { self.own(part) } else { part.to_owned() });
            after_service = !key && keyed(part);
        }
        own.join("/") + &query
    }

    /// A body as the server gets it: texts in it that are keys of objects stay the keys of the same objects.
    pub(super) fn own_body(&self, body: &str) -> String {
        let Ok(mut value) = serde_json::from_str::<Value>(body) else { return body.to_owned() };
        if self.rename(&mut value) { value.to_string() } else { body.to_owned() }
    }

    /// A value as the server gets it.
    pub(super) fn own_value(&self, value: &Value) -> Value {
        let mut own = value.clone();
        self.rename(&mut own);
        own
    }

    /// True if something was renamed.
    fn rename(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => {
                let of_key = |key: &String| {
                    text.strip_prefix(key.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
                };
                let renamed = self.keys.iter().any(of_key);
                if renamed {
                    *text = self.own(text);
                }
                renamed
            }
            Value::Array(items) => items.iter_mut().fold(false, |r, item| self.rename(item) | r),
            Value::Object(fields) => {
                fields.values_mut().fold(false, |r, field| self.rename(field) | r)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::scenario::plan::{OpeningState, Step};

    #[test]
    fn paths_name_the_objects_of_the_run() {
        let names = Names::new(&Plan::default(), BTreeSet::new(), "x-");
        for (path, expected) in [
            ("/Rooms/12/book", "/Rooms/x-12/book"),
            ("/Rooms/Rooms/book/send?delay=1s/2", "/Rooms/x-Rooms/book/send?delay=1s/2"),
            ("/restate/workflow/Rooms/12/attach", "/restate/workflow/Rooms/x-12/attach"),
            ("/Hotels/12/book", "/Hotels/12/book"),
            ("/Rooms//book", "/Rooms//book"),
            ("/Rooms", "/Rooms"),
            ("", ""),
        ] {
            assert_eq!(names.own_path(path, |service| service == "Rooms"), expected);
        }
    }

    #[test]
    fn bodies_go_on_naming_the_objects_that_steps_call() {
        let call = |key: &str| Step {
            request: key.to_owned(),
            step: key.to_owned(),
            action: Action::Call {
                target: Target::new("S", key, "h"),
                body: String::new(),
                idempotency_key: None,
                from: None,
                faults: Vec::new(),
                headers: BTreeMap::new(),
            },
            at_ms: Default::default(),
            after: None,
            ..Step::default()
        };
        let state = OpeningState {
            service: "S".to_owned(),
            key: "hotel".to_owned(),
            name: "n".to_owned(),
            value: Value::Null,
        };
        let plan = Plan { steps: vec![call("room-1")], state: vec![state], ..Default::default() };
        let objects = ["guest-book".to_owned(), String::new()].into();
        let names = Names::new(&plan, objects, "x-");
        for (body, expected) in [
            ("", ""),
            (r#"{"id": "room-1", "n": 1}"#, r#"{"id":"x-room-1","n":1}"#),
            (r#"[{"ref":"room-1-key"}]"#, r#"[{"ref":"x-room-1-key"}]"#),
            (r#"{"at":"hotel"}"#, r#"{"at":"x-hotel"}"#),
            (r#"{ "id": "room-12" }"#, r#"{ "id": "room-12" }"#),
            // no step calls it, a handler does
            (r#"["guest-book", ""]"#, r#"["x-guest-book",""]"#),
        ] {
            assert_eq!(names.own_body(body), expected);
        }
        let own = names.with_key("guest").own_body(r#"["guest"]"#);
        assert_eq!(own, r#"["x-guest"]"#);
        assert_eq!(names.own_body(r#"["guest"]"#), r#"["guest"]"#);
    }
}
