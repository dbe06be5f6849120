//! How a request looks with what it takes from replies that came before it.
//!
//! Must not know: how a scenario file is written, who asks.

use serde_json::Value;

use super::{Action, Step, Taken};
use crate::{
    base::Target,
    scenario::template::{self, As, Placeholder},
};

/// What another request was answered: JSON, or why there is none.
pub(crate) type Reply = Result<Value, String>;

/// Why a request cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lacking {
    /// The request whose reply lacks something.
    pub(crate) of: String,
    /// The field that a successful reply does not have.
    pub(crate) field: Option<String>,
    /// In words.
    pub(crate) why: String,
}

impl Step {
    /// What is done once the replies that it needs are known.
    ///
    /// # Errors
    /// What is not there.
    pub(crate) fn filled<'r>(
        &self,
        reply: impl Fn(&str) -> Option<&'r Reply>,
    ) -> Result<Action, Lacking> {
        let mut values = Vec::with_capacity(self.takes.len());
        for taken in &self.takes {
            let Some(placeholder) = template::whole(&taken.placeholder) else { continue };
            values.push((placeholder, field(taken, &placeholder, reply(&taken.request))?.clone()));
        }
        Ok(Filler(values).action(&self.action))
    }
}

/// The part of a reply that is taken.
fn field<'r>(
    taken: &Taken,
    placeholder: &Placeholder<'_>,
    reply: Option<&'r Reply>,
) -> Result<&'r Value, Lacking> {
    let of = &taken.request;
    let lacking = |field, why| Lacking { of: of.clone(), field, why };
    let whole = match reply {
        Some(Ok(whole)) => whole,
        Some(Err(why)) => return Err(lacking(None, format!("the reply to {of} is {why}"))),
        None => return Err(lacking(None, format!("{of} has no reply"))),
    };
    let mut at = whole;
    for name in placeholder.path.split('.').filter(|name| !name.is_empty()) {
        let inner = match at {
            Value::Array(items) => name.parse().ok().and_then(|i: usize| items.get(i)),
            other => other.get(name),
        };
        let Some(inner) = inner else {
            let path = placeholder.path;
            let why = format!("the reply to {of} has no `{path}`; it is {whole}");
            return Err(lacking(Some(path.to_owned()), why));
        };
        at = inner;
    }
    Ok(at)
}

/// The value of each placeholder.
pub(crate) struct Filler<'a>(pub(super) Vec<(Placeholder<'a>, Value)>);

impl Filler<'_> {
    fn value_of(&self, placeholder: &Placeholder<'_>) -> Option<&Value> {
        self.0.iter().find(|(this, _)| this == placeholder).map(|(_, value)| value)
    }

    fn text(&self, text: &str) -> String {
        template::replaced(text, |placeholder| self.value_of(placeholder).map(plain))
    }

    fn fill(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                let whole = template::whole(text).filter(|p| p.kind != As::Text);
                let taken = whole.and_then(|placeholder| self.value_of(&placeholder));
                *value = taken.cloned().unwrap_or_else(|| Value::String(self.text(text)));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.fill(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.fill(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// A body: what is no JSON is a text.
    pub(crate) fn body(&self, body: &str) -> String {
        match serde_json::from_str::<Value>(body) {
            Ok(mut value) => {
                self.fill(&mut value);
                value.to_string()
            }
            Err(_) => self.text(body),
        }
    }

    fn target(&self, target: &Target) -> Target {
        Target::new(&target.service, &self.text(&target.key), &target.handler)
    }

    pub(super) fn action(&self, action: &Action) -> Action {
        let mut action = action.clone();
        match &mut action {
            Action::Call { target, body, idempotency_key, headers, .. }
            | Action::Send { target, body, idempotency_key, headers, .. } => {
                *target = self.target(target);
                *body = self.body(body);
                idempotency_key.iter_mut().for_each(|key| *key = self.text(key));
                headers.values_mut().for_each(|value| *value = self.text(value));
            }
            Action::Http { path, headers, body, .. } => {
                *path = self.text(path);
                headers.values_mut().for_each(|value| *value = self.text(value));
                *body = self.body(body);
            }
            Action::Resolve { body, .. } => *body = self.body(body),
            Action::Reject { reason, .. } => *reason = self.text(reason),
            Action::Attach { .. }
            | Action::Output { .. }
            | Action::Pause { .. }
            | Action::Resume { .. }
            | Action::Purge { .. }
            | Action::Cancel { .. }
            | Action::Kill { .. }
            | Action::EndpointDown { .. }
            | Action::Deploy { .. } => {}
        }
        action
    }
}

/// A value within a text.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scenario::plan::Millis;

    fn step(body: &str, takes: &[(&str, &str)]) -> Step {
        let taken = |(placeholder, request): &(&str, &str)| Taken {
            placeholder: (*placeholder).to_owned(),
            request: (*request).to_owned(),
        };
        Step {
            request: "undo".into(),
            step: "undo".into(),
            action: Action::Call {
                target: Target::new("Bookings", "b-{book.id}", "Cancel"),
                body: body.to_owned(),
                idempotency_key: Some("{book.id:text}".into()),
                from: None,
                faults: Vec::new(),
                headers: [("x-nights".to_owned(), "{book.nights}".to_owned())].into(),
            },
            at_ms: Millis::default(),
            after: Some("book".into()),
            takes: takes.iter().map(taken).collect(),
            ..Step::default()
        }
    }

    #[test]
    fn what_was_replied_is_filled_in_with_its_type() {
        let reply: Reply =
            Ok(json!({ "id": 7, "nights": [1, "two"], "room": { "name": "a \"b\"" } }));
        let step = step(
            r#"{"id":"{book.id}","text":"{book.id:text}","in":"no {book.id}, {book.room.name}","all":"{book}","second":"{book.nights.1}","stays":"{{book.id}} {other.id}"}"#,
            &[
                ("{book.id}", "book"),
                ("{book.id:text}", "book"),
                ("{book.room.name}", "book"),
                ("{book}", "book"),
                ("{book.nights}", "book"),
                ("{book.nights.1}", "book"),
            ],
        );
        let filled = step.filled(|request| (request == "book").then_some(&reply)).unwrap();
        let Action::Call { target, body, idempotency_key, headers, .. } = filled else {
            panic!("it is a call")
        };
        let body: Value = serde_json::from_str(&body).unwrap();
        let expected = json!({
            "id": 7, "text": "7", "in": "no 7, a \"b\"", "all": reply.clone().unwrap(),
            "second": "two", "stays": "{{book.id}} {other.id}",
        });
        assert_eq!(body, expected);
        assert_eq!(target.to_string(), "Bookings/b-7/Cancel");
        assert_eq!(idempotency_key.as_deref(), Some("7"));
        assert_eq!(headers["x-nights"], r#"[1,"two"]"#);
    }

    #[test]
    fn what_is_not_there_is_named() {
        for (reply, field, why) in [
            (None, None, "book has no reply"),
            (Some(Err("error 400: full".to_owned())), None, "the reply to book is error 400: full"),
            (
                Some(Ok(json!({ "no": 1 }))),
                Some("id"),
                r#"the reply to book has no `id`; it is {"no":1}"#,
            ),
            (Some(Ok(json!(null))), Some("id"), "the reply to book has no `id`; it is null"),
        ] {
            let step = step("{}", &[("{book.id}", "book")]);
            let lacking = step.filled(|_| reply.as_ref()).unwrap_err();
            assert_eq!((lacking.field.as_deref(), lacking.why.as_str()), (field, why));
            assert_eq!(lacking.of, "book");
        }
    }
}
