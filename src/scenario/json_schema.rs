//! The JSON schema (2020-12) of scenario files: of the vocabulary and of everything that a [`Catalog`] names, so that an
//! editor completes a file and marks mistakes in it.
//!
//! What a schema cannot say, that a name stands for a step of the same file for instance, the readers say.
//!
//! Must not know: how a file is read.

use serde_json::{Map, Value, json};

use super::{
    bodies::REFUSED,
    catalog::{Catalog, HandlerEntry, Input, ServiceEntry, SystemEntry},
    doc::DEEDS,
    form::{Field, Form, Holds, MILLIS, Names, Whole},
    plan::{EntryKind, Fault},
    vocabulary::{FAULT, FAULTS, MIXED, SCENARIO, STEP, SYSTEM, WINDOW},
};

/// The JSON schema of the scenario files that `catalog` allows.
#[must_use]
pub fn json_schema(catalog: &Catalog) -> Value {
    let mut builder = Builder { catalog, defs: Map::new() };
    let mut root = builder.object(&SCENARIO);
    builder.bodies(&mut root);
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "a scenario of onceproof",
    });
    let all = schema.as_object_mut().expect("it is an object");
    all.extend(root.as_object().expect("a form is an object").clone());
    builder.defs.sort_keys();
    all.insert("$defs".to_owned(), Value::Object(builder.defs));
    schema
}

struct Builder<'a> {
    catalog: &'a Catalog,
    /// What is referred to, by its name.
    defs: Map<String, Value>,
}

/// The name of a definition, as it can stand in a reference.
fn slug(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    name.chars().map(|c| if c == '/' { '.' } else { plain(c) }).filter(|c| *c != '`').collect()
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{}", slug(name)) })
}

impl Builder<'_> {
    /// A reference to the definition `name`, which is made if it is not there yet.
    fn define(&mut self, name: &str, make: impl FnOnce(&mut Self) -> Value) -> Value {
        let slug = slug(name);
        if !self.defs.contains_key(&slug) {
            // what refers to itself finds it there
            self.defs.insert(slug.clone(), Value::Null);
            let made = make(self);
            self.defs.insert(slug, made);
        }
        reference(name)
    }

    fn object(&mut self, form: &Form<'_>) -> Value {
        let mut properties = Map::new();
        for field in form.fields {
            let schema = self.field(field);
            if field.written() != field.name {
                let mut older = schema.clone();
                older["deprecated"] = json!(true);
                properties.insert(field.written().to_owned(), schema);
                properties.insert(field.name.to_owned(), older);
            } else {
                properties.insert(field.name.to_owned(), schema);
            }
        }
        let required: Vec<&str> =
            form.fields.iter().filter(|field| field.needed).map(|field| field.name).collect();
        let mut schema = json!({ "type": "object", "properties": properties });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        if !form.open {
            schema["additionalProperties"] = json!(false);
        }
        schema
    }

    fn field(&mut self, field: &Field<'_>) -> Value {
        let schema = self.holds(field.holds);
        let read = |text: &str| serde_json::from_str(text).ok();
        let mut schema = described(schema, field.summary, field.example.and_then(read));
        if let Some(usual) = field.usual.and_then(read) {
            schema["default"] = usual;
        }
        schema
    }

    fn holds(&mut self, holds: Holds<'_>) -> Value {
        match holds {
            Holds::Json => json!({}),
            Holds::Text => json!({ "type": "string", "pattern": "\\S" }),
            Holds::Flag => json!({ "type": "boolean" }),
            Holds::Whole(whole) | Holds::Time(whole) => number(whole),
            Holds::Ends(whole) => ends(whole),
            Holds::Range(whole) | Holds::Times(whole) => {
                let mut all = vec![number(whole), ends(whole)];
                if let Some(Value::Array(either)) = all[0].get_mut("anyOf").map(Value::take) {
                    all.splice(0..1, either);
                }
                json!({ "anyOf": all })
            }
            Holds::Rate => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
            Holds::Word([only]) => json!({ "const": only }),
            Holds::Word(words) => json!({ "enum": words }),
            Holds::Name(names) => self.name(names),
            Holds::Object(form) if form.what == STEP.what => self.define("step", Self::step),
            Holds::Object(form) if form.what == MIXED.what => self.define(form.what, Self::mixed),
            Holds::Object(form) => self.define(form.what, |builder| builder.object(form)),
            Holds::Map(names, inner) => self.map(names, inner),
            Holds::List(inner) => json!({ "type": "array", "items": self.holds(*inner) }),
            Holds::Either(several) => {
                let several: Vec<Value> = several.iter().map(|one| self.holds(*one)).collect();
                json!({ "anyOf": several })
            }
            Holds::Variants => self.define("variants", |builder| builder.variants()),
            Holds::World => self.define("world", Self::world),
            Holds::Faults => self.define("faults", Self::faults),
            Holds::Typed(schema) => schema.clone(),
        }
    }

    fn map(&mut self, names: Names, inner: &Holds<'_>) -> Value {
        let inner = self.holds(*inner);
        match names {
            Names::Any => json!({ "type": "object", "additionalProperties": inner }),
            _ => json!({
                "type": "object",
                "propertyNames": self.name(names),
                "additionalProperties": inner,
            }),
        }
    }

    fn name(&mut self, names: Names) -> Value {
        let name = match names {
            Names::Any | Names::Step => return json!({ "type": "string", "pattern": "\\S" }),
            Names::Handler => "handler",
            Names::Object => "object",
            Names::State => "state",
            Names::Place => "place",
            Names::System => "system",
            Names::Effect => "effect",
            Names::Scope => "scope",
            Names::Revision => "revision",
            Names::Invariant => "invariant",
        };
        let catalog = self.catalog;
        self.define(name, |_| match names {
            Names::Any | Names::Step => json!({}),
            Names::Handler => handlers(catalog),
            Names::Object => objects(catalog, "/.+"),
            Names::State => objects(catalog, "/.+/[^/]+"),
            Names::Place => places(catalog),
            Names::System => {
                words(catalog.systems.iter().map(|(name, system)| (&**name, &*system.summary)))
            }
            Names::Effect => effects(catalog),
            Names::Scope => scopes(catalog),
            Names::Revision => words(pairs(&catalog.revisions)),
            Names::Invariant => words(pairs(&catalog.invariants)),
        })
    }

    /// A step does one thing, and has the fields that go with it.
    fn step(&mut self) -> Value {
        let mut schema = self.object(&STEP);
        let deeds: Vec<Value> =
            DEEDS.iter().map(|(deed, _)| json!({ "required": [deed] })).collect();
        schema["oneOf"] = Value::Array(deeds);
        let mut rules = Vec::new();
        let mut limited: Vec<&str> =
            DEEDS.iter().flat_map(|(_, own)| own.iter().copied()).collect();
        limited.sort_unstable();
        limited.dedup();
        for field in limited {
            let having = DEEDS.iter().filter(|(_, own)| own.contains(&field));
            let having: Vec<Value> =
                having.map(|(deed, _)| json!({ "required": [deed] })).collect();
            let names = [Some(field), field.strip_suffix("_ms")];
            for name in names.into_iter().flatten() {
                rules.push(json!({ "if": { "required": [name] }, "then": { "anyOf": having } }));
            }
        }
        schema["dependentRequired"] = json!({
            "faults": ["from"], "every": ["calls"], "every_ms": ["calls"], "until": ["calls"],
        });
        schema["allOf"] = Value::Array(rules);
        schema
    }

    /// A call of a mix is a call or a send.
    fn mixed(&mut self) -> Value {
        let mut schema = self.object(&MIXED);
        schema["oneOf"] = json!([{ "required": ["call"] }, { "required": ["send"] }]);
        schema["dependentRequired"] = json!({
            "faults": ["from"], "from": ["call"], "delay": ["send"], "delay_ms": ["send"],
        });
        schema
    }

    /// Steps have the bodies that their handlers take. Which step an expectation speaks of, a schema cannot say: where one
    /// says that a body is refused, all may be wrong.
    fn bodies(&mut self, root: &mut Value) {
        let refused =
            json!({ "required": ["fails"], "properties": { "fails": { "enum": REFUSED } } });
        let called = self.define("a call with its body", |builder| builder.called());
        let step = json!({
            "if": { "not": refused },
            "then": { "allOf": [called], "properties": { "mix": { "items": called } } },
        });
        let step = self.define("a step with its body", |_| step);
        root["if"] = json!({
            "required": ["expect"],
            "properties": { "expect": { "contains": refused } },
        });
        root["else"] = json!({ "properties": { "steps": { "items": step } } });
    }

    /// The body of whatever is called.
    fn called(&mut self) -> Value {
        let mut rules = Vec::new();
        for (service, entry) in &self.catalog.services.clone() {
            for (handler, about) in &entry.handlers {
                let pattern = format!("^{}$", path(service, entry, handler));
                let named = |deed: &str| json!({ "required": [deed], "properties": { deed: { "pattern": pattern } } });
                let body = self.body(service, handler, about);
                rules.push(json!({
                    "if": { "anyOf": [named("call"), named("send")] },
                    "then": body,
                }));
            }
        }
        json!({ "allOf": rules })
    }

    /// What a step has under `body` that calls this handler.
    fn body(&mut self, service: &str, handler: &str, entry: &HandlerEntry) -> Value {
        let schema = match (&entry.schema, entry.input) {
            (_, Input::None) => return json!({ "properties": { "body": false } }),
            (None, _) => json!({}),
            (Some(schema), _) => {
                let made = |name: &str| self::body(schema, name);
                let same =
                    |name: &String, def: &Value| name.starts_with("body-of-") && *def == made(name);
                match self.defs.iter().find(|(name, def)| same(name, def)) {
                    Some((name, _)) => reference(name),
                    None => {
                        let name = format!("body of {service}/{handler}");
                        self.define(&name, |_| made(&name))
                    }
                }
            }
        };
        let body = described(schema, &entry.summary, None);
        match entry.input {
            Input::Needed => json!({ "required": ["body"], "properties": { "body": body } }),
            _ => json!({ "properties": { "body": body } }),
        }
    }

    fn variants(&self) -> Value {
        let services = self.catalog.services.iter();
        let services: Map<String, Value> = services
            .map(|(name, service)| (name.clone(), words(pairs(&service.variants))))
            .collect();
        json!({ "type": "object", "properties": services, "additionalProperties": false })
    }

    fn world(&mut self) -> Value {
        let catalog = self.catalog;
        let mut properties = Map::new();
        for (name, form) in &catalog.short_forms {
            let def = format!("world {name}");
            let schema = self.define(&def, |_| rebased(&form.schema, &def, false));
            properties.insert(name.clone(), described(schema, &form.summary, None));
        }
        for (name, system) in &catalog.systems {
            let schema =
                self.define(&format!("system {name}"), |builder| builder.system(name, system));
            properties.insert(name.clone(), described(schema, &system.summary, None));
        }
        json!({ "type": "object", "properties": properties, "additionalProperties": false })
    }

    /// What every system has, and its own fields; what those refer to stays below it.
    fn system(&mut self, name: &str, system: &SystemEntry) -> Value {
        let def = format!("system {name}");
        let fields = system.fields();
        let form = Form { what: &def, fields: &fields, open: false };
        let mut schema = self.object(&form);
        let own = fields.iter().filter(|field| SYSTEM.field(field.name).is_none());
        for field in own {
            let property = &mut schema["properties"][field.name];
            *property = rebased(property, &def, false);
        }
        for word in ["$defs", "definitions"] {
            if let Some(defs) = system.schema.get(word) {
                schema[word] = rebased(defs, &def, false);
            }
        }
        schema
    }

    fn faults(&mut self) -> Value {
        let mut schema = self.object(&FAULTS);
        let mut add =
            |builder: &mut Self, name: &str, summary: &str, lasts: bool, anywhere: bool| {
                let kept = |field: &&Field<'_>| match field.name {
                    "up_to_ms" => lasts,
                    "on" => anywhere,
                    _ => true,
                };
                let fields: Vec<Field<'_>> = FAULT.fields.iter().filter(kept).copied().collect();
                let object =
                    builder.object(&Form { what: FAULT.what, fields: &fields, open: false });
                let mut either = vec![builder.holds(Holds::Rate), object];
                if name == Fault::Outage.name() {
                    either.push(builder.holds(Holds::List(&Holds::Object(&WINDOW))));
                }
                schema["properties"][name] =
                    described(json!({ "anyOf": either }), summary, Some(json!(0.05)));
            };
        for (fault, summary) in Fault::ALL {
            let lasts = fault.up_to_ms();
            let summary = match lasts {
                Some(ms) => format!("{summary} (`up_to_ms`: {ms})"),
                None => (*summary).to_owned(),
            };
            add(self, fault.name(), &summary, lasts.is_some(), !fault.strikes_machines());
        }
        for (system, entry) in &self.catalog.systems {
            for (fault, summary) in &entry.faults {
                add(self, &format!("{system}.{fault}"), summary, false, false);
            }
        }
        schema
    }
}

/// `schema` with what is said of it for people.
fn described(schema: Value, summary: &str, example: Option<Value>) -> Value {
    let Value::Object(mut words) = schema else { return schema };
    if !summary.is_empty() {
        words.shift_remove("description");
        words.insert("description".to_owned(), json!(summary));
    }
    if let Some(example) = example {
        words.insert("examples".to_owned(), json!([example]));
    }
    Value::Object(words)
}

/// A whole number; a time may also be a text with units.
fn number(whole: Whole) -> Value {
    let number = json!({ "type": "integer", "minimum": whole.min, "maximum": whole.max });
    match whole.what == MILLIS.what {
        true => json!({ "anyOf": [number, { "type": "string", "pattern": DURATION }] }),
        false => number,
    }
}

/// Texts that can be a time: `2s`, `1h 30m`, `10 days`, `PT5S`.
const DURATION: &str = r"^\s*([0-9][0-9.,:]*\s*[A-Za-zµ]*[\s,]*|P[0-9A-Z.,]+)+$";

fn ends(whole: Whole) -> Value {
    json!({ "type": "array", "items": number(whole), "minItems": 2, "maxItems": 2 })
}

fn pairs(names: &std::collections::BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    names.iter().map(|(name, summary)| (name.as_str(), summary.as_str()))
}

/// One of these names, each with a line for people. None: no text fits.
fn words<'a>(names: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let all: Vec<Value> =
        names.map(|(name, summary)| described(json!({ "const": name }), summary, None)).collect();
    if all.is_empty() { json!(false) } else { json!({ "anyOf": all }) }
}

/// A text as a regular expression.
fn escaped(text: &str) -> String {
    let special = |c: char| "\\^$.|?*+()[]{}/-".contains(c) && c != '/' && c != '-';
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

fn path(service: &str, entry: &ServiceEntry, handler: &str) -> String {
    let key = if entry.keyed { "/.+" } else { "" };
    format!("{}{key}/{}", escaped(service), escaped(handler))
}

/// Any of these patterns, and something that fits.
fn any_of(patterns: &[String], examples: Vec<String>) -> Value {
    if patterns.is_empty() {
        return json!(false);
    }
    json!({ "type": "string", "pattern": format!("^({})$", patterns.join("|")), "examples": examples })
}

fn handlers(catalog: &Catalog) -> Value {
    let (mut patterns, mut examples) = (Vec::new(), Vec::new());
    for (name, entry) in &catalog.services {
        let handlers: Vec<String> = entry.handlers.keys().map(|handler| escaped(handler)).collect();
        let key = if entry.keyed { "/.+" } else { "" };
        patterns.push(format!("{}{key}/({})", escaped(name), handlers.join("|")));
        let key = if entry.keyed { "/KEY" } else { "" };
        examples.extend(entry.handlers.keys().map(|handler| format!("{name}{key}/{handler}")));
    }
    any_of(&patterns, examples)
}

fn objects(catalog: &Catalog, rest: &str) -> Value {
    let keyed = || catalog.services.iter().filter(|(_, entry)| entry.keyed);
    let patterns: Vec<String> =
        keyed().map(|(name, _)| format!("{}{rest}", escaped(name))).collect();
    let name =
        if rest.ends_with(']') || rest.matches('/').count() > 1 { "/KEY/NAME" } else { "/KEY" };
    any_of(&patterns, keyed().map(|(service, _)| format!("{service}{name}")).collect())
}

fn places(catalog: &Catalog) -> Value {
    let kinds: Vec<&str> = EntryKind::ALL.iter().map(|kind| kind.name()).collect();
    let rest = format!(" +(before|after) +({})( .*)?", kinds.join("|"));
    let (mut patterns, mut examples) = (Vec::new(), Vec::new());
    for (name, entry) in &catalog.services {
        let handlers: Vec<String> = entry.handlers.keys().map(|handler| escaped(handler)).collect();
        let key = if entry.keyed { "/.+" } else { "(/\\*)?" };
        patterns.push(format!("{}{key}/({}){rest}", escaped(name), handlers.join("|")));
        let key = if entry.keyed { "/*" } else { "" };
        examples.extend(entry.handlers.keys().map(|h| format!("{name}{key}/{h} after run NAME")));
    }
    any_of(&patterns, examples)
}

fn effects(catalog: &Catalog) -> Value {
    let (mut patterns, mut examples) = (Vec::new(), Vec::new());
    for (system, entry) in &catalog.systems {
        let kinds: Vec<String> = entry.effects.iter().map(|kind| escaped(kind)).collect();
        // who does not say which effects there are can be asked for any
        let kinds =
            if kinds.is_empty() { ".+".to_owned() } else { format!("({})", kinds.join("|")) };
        patterns.push(format!("{}\\.{kinds}", escaped(system)));
        examples.extend(entry.effects.iter().map(|kind| format!("{system}.{kind}")));
    }
    any_of(&patterns, examples)
}

fn scopes(catalog: &Catalog) -> Value {
    let mut patterns: Vec<String> = catalog.systems.keys().map(|name| escaped(name)).collect();
    let mut examples: Vec<String> = catalog.systems.keys().cloned().collect();
    for (name, entry) in &catalog.services {
        let handlers: Vec<String> = entry.handlers.keys().map(|handler| escaped(handler)).collect();
        patterns.push(format!("{}(/({}))?", escaped(name), handlers.join("|")));
        examples.push(name.clone());
        examples.extend(entry.handlers.keys().map(|handler| format!("{name}/{handler}")));
    }
    any_of(&patterns, examples)
}

/// The schema of a body as the definition `name`: closed to fields that it does not name, open to variables.
fn body(schema: &Value, name: &str) -> Value {
    let mut schema = rebased(schema, name, true);
    if let Value::Object(words) = &mut schema {
        words.shift_remove("$schema");
        words.shift_remove("title");
    }
    schema
}

/// A schema that stands at the definition `name` of another one. References begin there; with `body`, texts may have
/// variables, and objects have no other fields than those that they name.
fn rebased(schema: &Value, name: &str, body: bool) -> Value {
    match schema {
        Value::Array(all) => all.iter().map(|one| rebased(one, name, body)).collect(),
        Value::Object(words) => {
            let mut out = Map::new();
            for (word, value) in words {
                let value = match (word.as_str(), value) {
                    ("$ref", Value::String(pointer)) => match pointer.strip_prefix('#') {
                        Some(rest) => {
                            let at = reference(name);
                            json!(format!("{}{rest}", at["$ref"].as_str().unwrap_or_default()))
                        }
                        None => value.clone(),
                    },
                    ("$schema", Value::String(_)) => continue,
                    // data, no schemas
                    ("enum" | "const" | "default" | "examples" | "required", _) => value.clone(),
                    _ => rebased(value, name, body),
                };
                out.insert(word.clone(), value);
            }
            if body { for_bodies(out) } else { Value::Object(out) }
        }
        other => other.clone(),
    }
}

/// What a body may have beside what its type says.
fn for_bodies(mut words: Map<String, Value>) -> Value {
    let has = |word: &str| words.contains_key(word);
    let is_alone =
        !["additionalProperties", "allOf", "anyOf", "oneOf", "$ref"].iter().any(|w| has(w));
    if words.get("type").is_some_and(|kind| kind == "object") && has("properties") && is_alone {
        words.insert("additionalProperties".to_owned(), json!(false));
    }
    // what is needed has no default: an editor would fill it in
    let required = words.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(Value::Object(properties)) = words.get_mut("properties") {
        for name in required.iter().filter_map(Value::as_str) {
            if let Some(Value::Object(property)) = properties.get_mut(name) {
                property.shift_remove("default");
            }
        }
    }
    // `"{i}"` stands for what is filled in, and `"{pay.amount}"` for a number that another step was answered
    let is_type = |name: &str| match words.get("type") {
        Some(Value::Array(several)) => several.iter().any(|kind| kind == name),
        Some(kind) => kind == name,
        None => false,
    };
    let plain = ["integer", "number", "boolean"].iter().any(|name| is_type(name));
    let listed =
        words.contains_key("enum") && words.get("type").is_none_or(|kind| kind == "string");
    let limited = is_type("string") && has_pattern(&words);
    if listed || limited || (plain && !is_type("string")) {
        let description = words.shift_remove("description");
        let pattern = if plain { "^\\{[^{}]+\\}$" } else { "\\{[^{}]+\\}" };
        let variable = json!({ "type": "string", "pattern": pattern });
        let mut either = json!({ "anyOf": [Value::Object(words), variable] });
        if let Some(description) = description {
            either["description"] = description;
        }
        return either;
    }
    Value::Object(words)
}

fn has_pattern(words: &Map<String, Value>) -> bool {
    ["pattern", "format", "const"].iter().any(|word| words.contains_key(*word))
}
