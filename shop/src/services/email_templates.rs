//! The text of emails: built-in templates, and `{{variable}}` substitution.
//!
//! A pure function of the request, so that a retry writes the same email.
//!
//! Must not know: who sends, the simulation.

use std::collections::BTreeMap;

use restate_sdk::prelude::TerminalError;

use super::durable::invalid;

/// A text with `{{variables}}`.
#[derive(Debug)]
pub(super) struct Template {
    name: &'static str,
    pub(super) subject: &'static str,
    pub(super) body: &'static str,
}

static TEMPLATES: &[Template] = &[
    Template {
        name: "welcome",
        subject: "Welcome to {{plan}}",
        body: "Your subscription to {{plan}} begins on {{startDate}}.",
    },
    Template {
        name: "subscriptionCancelled",
        subject: "Your subscription to {{plan}} is cancelled",
        body: "It ended on {{endDate}}. You get back {{refund}} cents.",
    },
    Template {
        name: "receipt",
        subject: "Receipt for {{reference}}",
        body: "You paid {{amount}} for {{reference}}.",
    },
    Template {
        name: "orderConfirmed",
        subject: "Order {{reference}} is confirmed",
        body: "We are packing your order {{reference}}.",
    },
    Template {
        name: "orderCancelled",
        subject: "Order {{reference}} is cancelled",
        body: "Your order {{reference}} is cancelled. You pay nothing.",
    },
];

/// The names of all templates.
pub(super) fn names() -> Vec<&'static str> {
    TEMPLATES.iter().map(|template| template.name).collect()
}

/// The template of this name.
///
/// # Errors
/// 400, naming it, if there is none.
pub(super) fn template(name: &str) -> Result<&'static Template, TerminalError> {
    let known = TEMPLATES.iter().find(|template| template.name == name);
    known.ok_or_else(|| invalid("template", &format!("`{name}` is unknown")))
}

/// `text` with every `{{name}}` replaced by its variable; what a variable holds is not looked into.
///
/// # Errors
/// 400, naming it, if a variable is missing or not closed.
pub(super) fn fill_in(
    text: &str,
    variables: &BTreeMap<String, String>,
) -> Result<String, TerminalError> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after
            .split_once("}}")
            .ok_or_else(|| invalid("variables", &format!("`{{{{{after}` is not closed")))?;
        let value = variables
            .get(name.trim())
            .ok_or_else(|| invalid("variables", &format!("`{}` is missing", name.trim())))?;
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let variables = [("name", "Ann"), ("plan", "{{name}}"), ("empty", "")];
        let variables = variables.map(|(name, value)| (name.into(), value.into())).into();
        let filled = fill_in(text, &variables).map_err(|error| {
            assert_eq!(error.code(), 400);
            error.message().to_owned()
        });
        assert_eq!(filled, expected.map(str::to_owned).map_err(str::to_owned), "{text}");
    }

    #[test]
    fn variables_are_filled_in_once_and_a_missing_one_is_named() {
        check("", Ok(""));
        check("Dear {{name}}!", Ok("Dear Ann!"));
        check("{{ name }}{{name}}", Ok("AnnAnn"));
        check("{{plan}}", Ok("{{name}}"));
        check("{{empty}}}} {x}", Ok("}} {x}"));
        check("{{city}}", Err("invalid variables: `city` is missing"));
        check("{{}}", Err("invalid variables: `` is missing"));
        check("to {{name", Err("invalid variables: `{{name` is not closed"));
    }

    #[test]
    fn templates_have_names_of_their_own_and_are_well_formed() {
        for known in TEMPLATES {
            let found = template(known.name).expect("it is known");
            assert_eq!(found.subject, known.subject, "{} twice", known.name);
            let all = ["plan", "startDate", "endDate", "refund", "reference", "amount"];
            let variables = all.map(|name| (name.into(), "x".into())).into();
            for text in [known.subject, known.body] {
                assert!(fill_in(text, &variables).is_ok(), "{text}");
            }
        }
        let error = template("welcom").expect_err("it is unknown");
        assert_eq!((error.code(), error.message()), (400, "invalid template: `welcom` is unknown"));
    }
}
