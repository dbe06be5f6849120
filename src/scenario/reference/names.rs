//! The tables of names: what a step does, the catalog's systems, faults, invariants and services.
//!
//! Must not know: the order of the page.

use serde_json::Value;

use super::{
    super::{
        catalog::{HandlerEntry, Input, REFERENCE, ServiceEntry, SystemEntry},
        doc::DEEDS,
        durations, example,
        form::Field,
        plan::{EntryKind, Fault},
        schema::Schema,
        vocabulary::{STEP, SYSTEM},
    },
    Page, about,
    words::{code, holds, prose},
};

/// Bodies are not told deeper.
const DEPTH_MAX: usize = 4;

impl Page<'_> {
    pub(super) fn deeds(&mut self) {
        self.text
            .push_str("\n| field | holds | what the step does | goes with |\n|---|---|---|---|\n");
        for (deed, own) in DEEDS {
            let Some(field) = STEP.field(deed) else { continue };
            let own: Vec<String> =
                own.iter().filter_map(|name| STEP.field(name)).map(|f| code(f.written())).collect();
            self.row(&[
                &code(field.written()),
                &holds(field.holds),
                &about(field),
                &own.join(", "),
            ]);
        }
    }

    pub(super) fn deed_fields(&mut self) {
        // how much is asked, and what of it is drawn, is a part of its own
        let is_limited = |field: &&Field<'_>| {
            DEEDS.iter().any(|(_, own)| own.contains(&field.name))
                && !["draw", "calls", "every_ms", "until"].contains(&field.name)
        };
        let limited = STEP.fields.iter().filter(is_limited);
        self.fields(limited);
    }

    pub(super) fn systems(&mut self) {
        for (name, system) in &self.catalog.systems {
            self.text.push_str(&format!("\n### System {}\n", code(name)));
            if !system.summary.is_empty() {
                self.text.push_str(&format!("\n{}.\n", sentence(&system.summary)));
            }
            self.system(name, system);
        }
        if self.catalog.short_forms.is_empty() {
            return;
        }
        self.text.push_str(
            "\n### Short forms of states\n\n| field | holds | what it is |\n|---|---|---|\n",
        );
        for (name, form) in &self.catalog.short_forms {
            let schema = Schema::new(&form.schema);
            let one = schema.any_field().map(|one| example::words(one, 0));
            let what = one
                .map_or_else(|| example::words(schema, 0), |one| format!("an object, name: {one}"));
            self.row(&[&code(name), &what, &prose(&form.summary)]);
        }
    }

    fn system(&mut self, name: &str, system: &SystemEntry) {
        let fields = system.fields();
        let own: Vec<_> =
            fields.iter().filter(|field| SYSTEM.field(field.name).is_none()).collect();
        if !own.is_empty() {
            self.fields(own.into_iter());
        }
        if !system.effects.is_empty() {
            let effects: Vec<String> =
                system.effects.iter().map(|effect| code(&format!("{name}.{effect}"))).collect();
            self.text.push_str(&format!("\nEffects: {}.\n", effects.join(", ")));
        }
        let faults: Vec<String> = system
            .faults
            .iter()
            .map(|(fault, summary)| {
                format!("{}: {}", code(&format!("{name}.{fault}")), prose(summary))
            })
            .collect();
        if !faults.is_empty() {
            self.text.push_str(&format!("\nFaults of its own: {}.\n", faults.join("; ")));
        }
    }

    pub(super) fn faults(&mut self) {
        self.text
            .push_str("\n| fault | what goes wrong | `up_to` if it is left out |\n|---|---|---|\n");
        for (fault, summary) in Fault::ALL {
            let up_to = fault.up_to_ms().map_or_else(String::new, |ms| code(&durations::text(ms)));
            self.row(&[&code(fault.name()), &prose(summary), &up_to]);
        }
        for (system, entry) in &self.catalog.systems {
            for (fault, summary) in &entry.faults {
                self.row(&[&code(&format!("{system}.{fault}")), &prose(summary), ""]);
            }
        }
    }

    pub(super) fn entries(&mut self) {
        let kinds = |named: bool| -> String {
            let kinds = EntryKind::ALL.iter().filter(|kind| kind.is_named() == named);
            kinds.map(|kind| code(kind.name())).collect::<Vec<_>>().join(", ")
        };
        let (named, plain) = (kinds(true), kinds(false));
        self.text.push_str(&format!(
            "\nKinds with a name (`*` or nothing: any): {named}. Kinds without: {plain}. The name of a `call` or `send` is `Service/handler`.\n"
        ));
    }

    pub(super) fn invariants(&mut self) {
        self.text.push_str("\n| invariant | what must hold |\n|---|---|\n");
        for (name, summary) in &self.catalog.invariants {
            self.row(&[&code(name), &prose(summary)]);
        }
    }

    pub(super) fn services(&mut self) {
        for (name, service) in &self.catalog.services {
            self.text.push_str(&format!("\n### Service {}\n", code(name)));
            self.service(name, service);
        }
        if !self.catalog.revisions.is_empty() {
            self.text.push_str("\n### Revisions\n\nWhat `deploy` can name:\n\n| revision | what it is |\n|---|---|\n");
            for (name, summary) in &self.catalog.revisions {
                self.row(&[&code(name), &prose(summary)]);
            }
        }
    }

    fn service(&mut self, name: &str, service: &ServiceEntry) {
        let path = if service.keyed { format!("{name}/KEY") } else { name.to_owned() };
        self.text.push_str("\n| call | body | what it does |\n|---|---|---|\n");
        for (handler, entry) in &service.handlers {
            let body = match entry.input {
                Input::None => "none",
                Input::Optional => "may be left out",
                Input::Needed => "needed",
            };
            self.row(&[&code(&format!("{path}/{handler}")), body, &prose(&entry.summary)]);
        }
        for (handler, entry) in &service.handlers {
            self.body(handler, entry);
        }
        let variants = service.variants.iter().filter(|(name, _)| *name != REFERENCE);
        let variants: Vec<String> = variants
            .map(|(name, summary)| format!("- {}: {}", code(name), prose(summary)))
            .collect();
        if !variants.is_empty() {
            self.text.push_str(&format!(
                "\nVariants, each with a planted bug:\n\n{}\n",
                variants.join("\n")
            ));
        }
    }

    /// The fields of a handler's body, if they are known.
    fn body(&mut self, handler: &str, entry: &HandlerEntry) {
        let Some(schema) = entry.schema.as_ref().filter(|_| entry.input != Input::None) else {
            return;
        };
        let mut rows = Vec::new();
        fields(Schema::new(schema), "", DEPTH_MAX, &mut rows);
        if rows.is_empty() {
            return;
        }
        let shown = example::example(schema);
        self.text.push_str(&format!(
            "\nThe body of {}, for example {}:\n",
            code(handler),
            code(&shown.to_string())
        ));
        self.text.push_str("\n| field | holds | what it is |\n|---|---|---|\n");
        for [name, holds, summary] in rows {
            self.row(&[&name, &holds, &summary]);
        }
    }
}

/// A row for each field of a body, those of fields within it too: `items[].price`.
fn fields(schema: Schema<'_>, path: &str, depth: usize, rows: &mut Vec<[String; 3]>) {
    for field in schema.named_with_needed() {
        let name = format!("{path}{}", field.name);
        let Some(inner) = schema.field(field.name) else { continue };
        let shown = if field.needed { format!("**{}**", code(&name)) } else { code(&name) };
        let summary = field.summary.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut summary = prose(&summary);
        if let Some(default) = default_of(inner).filter(|_| !field.needed) {
            let separator = if summary.is_empty() { "" } else { "; " };
            summary.push_str(&format!("{separator}{} if it is left out", code(&default)));
        }
        rows.push([shown, example::words(inner, 0), summary]);
        if depth > 0 {
            let (within, path) = match inner.items() {
                Some(items) => (items, format!("{name}[].")),
                None => (inner, format!("{name}.")),
            };
            fields(within, &path, depth - 1, rows);
        }
    }
}

/// What a field is if it is left out, unless that is nothing.
fn default_of(schema: Schema<'_>) -> Option<String> {
    let default = schema.layers().find_map(|words| words.get("default"))?;
    let is_nothing = match default {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    (!is_nothing).then(|| default.to_string())
}

/// A summary as the beginning of a sentence.
fn sentence(summary: &str) -> String {
    let mut letters = summary.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let text: String = first.chain(letters).collect();
    prose(&text)
}
