//! Expressions that must hold, in CEL: compiled once, with what each looks at and the parts whose values are shown.
//!
//! Must not know: how a file is read, histories.

use std::collections::BTreeSet;

use cel::{
    IdedExpr, Program,
    common::ast::{EntryExpr, Expr, LiteralValue, operators},
};

use crate::base::panics;

/// The functions that an expression can call, besides those of CEL, each with a line for people.
pub(crate) const FUNCTIONS: [(&str, &str); 3] = [
    ("state", "state('Service', 'key'): the object's states by name"),
    ("effects", "effects('system.kind'): the fields of each, so far, without what was repeated"),
    ("replies", "replies('step'): { request, code, body, message } of each, so far"),
];

/// What CEL itself has.
const STANDARD: [&str; 18] = [
    "size",
    "string",
    "int",
    "uint",
    "double",
    "bool",
    "bytes",
    "type",
    "dyn",
    "has",
    "all",
    "exists",
    "exists_one",
    "map",
    "filter",
    "contains",
    "startsWith",
    "endsWith",
];

/// What an expression looks at; none is any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// The states of an object.
    State {
        /// The service.
        service: Option<String>,
        /// The key.
        key: Option<String>,
    },
    /// Effects of a kind.
    Effects(Option<String>),
    /// The replies to a step.
    Replies(Option<String>),
}

/// An expression that can be evaluated.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) program: Program,
    /// What it looks at.
    pub(crate) looks: Vec<Look>,
    /// Its parts that look at something, as they are written.
    pub(crate) parts: Vec<(String, IdedExpr)>,
}

/// What is wrong with an expression, and where: characters of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) at: usize,
    pub(crate) length: usize,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Compiled {
    /// Compiles `text`.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub(crate) fn new(text: &str) -> Result<Self, Wrong> {
        let program = match panics::catch(|| Program::compile(text)) {
            Ok(Ok(program)) => program,
            Ok(Err(errors)) => return Err(parse_error(text, &errors)),
            Err(_) => return Err(wrong(text, "", "this is no expression".to_owned(), None)),
        };
        let mut found = Found::default();
        found.walk(program.expression(), &mut Vec::new());
        if let Some(name) = found.unknown_variables.first() {
            let help = "an expression knows `now`, the time in ms, and the functions ";
            let help = format!("{help}{}; texts are in quotes: '{name}'", names());
            return Err(wrong(text, name, format!("unknown name `{name}`"), Some(help)));
        }
        if let Some(name) = found.unknown_functions.first() {
            let help = format!("functions: {}, and those of CEL", names());
            return Err(wrong(text, name, format!("unknown function `{name}`"), Some(help)));
        }
        if let Some((name, count)) = found.miscounted {
            let (_, form) = FUNCTIONS.iter().find(|(known, _)| *known == name).unwrap_or(&("", ""));
            let s = if count == 1 { "" } else { "s" };
            let message = format!("`{name}` does not have {count} argument{s}");
            return Err(wrong(text, name, message, Some(format!("write {form}"))));
        }
        if found.looks.is_empty() {
            let message = "this looks at nothing that happens".to_owned();
            return Err(wrong(text, "", message, Some(format!("use one of {}", names()))));
        }
        // a part of a part is not shown beside it
        let texts: Vec<String> = found.parts.iter().map(|(text, _)| text.clone()).collect();
        let is_inner = |text: &String| texts.iter().any(|all| all != text && all.contains(text));
        found.parts.retain(|(text, _)| !is_inner(text));
        Ok(Self { looks: found.looks, parts: found.parts, program })
    }
}

fn names() -> String {
    let names: Vec<String> = FUNCTIONS.iter().map(|(name, _)| format!("`{name}`")).collect();
    names.join(", ")
}

/// A problem with `part` of `text`; with all of it if it is empty.
fn wrong(text: &str, part: &str, message: String, help: Option<String>) -> Wrong {
    let (at, length) = match text.find(part).filter(|_| !part.is_empty()) {
        Some(at) => (at, part.len()),
        None => (0, text.len()),
    };
    Wrong { at, length, message, help }
}

fn parse_error(text: &str, errors: &cel::ParseErrors) -> Wrong {
    let Some(first) = errors.errors.first() else {
        return wrong(text, "", "this is no expression".to_owned(), None);
    };
    let line = usize::try_from(first.pos.0).unwrap_or(1).max(1);
    let column = usize::try_from(first.pos.1).unwrap_or(1).max(1);
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = &text[start.min(text.len())..];
    let at = start + rest.char_indices().nth(column - 1).map_or(rest.len(), |(at, _)| at);
    let length = text[at.min(text.len())..].chars().next().map_or(0, char::len_utf8);
    let said = first.msg.lines().next().unwrap_or_default().trim_start_matches("Syntax error: ");
    // what could stand there instead is a list of all tokens
    let said = said.split(" expecting {").next().unwrap_or_default();
    let message = format!("this is no expression: {}", said.replace("<EOF>", "the end"));
    let is_assignment = text[at..].starts_with('=') && !text[at..].starts_with("==");
    let help = if is_assignment {
        "write `==` to compare"
    } else {
        "expressions are in CEL: https://cel.dev"
    };
    Wrong { at, length, message, help: Some(help.to_owned()) }
}

/// What is found in an expression.
#[derive(Debug, Default)]
struct Found {
    looks: Vec<Look>,
    parts: Vec<(String, IdedExpr)>,
    shown: BTreeSet<String>,
    unknown_variables: Vec<String>,
    unknown_functions: Vec<String>,
    miscounted: Option<(&'static str, usize)>,
}

impl Found {
    /// Looks through `expr`, in which the variables `bound` have values.
    fn walk(&mut self, expr: &IdedExpr, bound: &mut Vec<String>) {
        if bound.is_empty()
            && looks_at_something(expr)
            && let Some(text) = written(expr)
            && self.shown.insert(text.clone())
        {
            self.parts.push((text, expr.clone()));
        }
        match &expr.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => {
                let is_type = STANDARD.contains(&name.as_str());
                if name != "now" && !name.starts_with('@') && !bound.contains(name) && !is_type {
                    self.unknown_variables.push(name.clone());
                }
            }
            Expr::Call(call) => {
                self.call(&call.func_name, call.target.is_some(), &call.args);
                call.target.iter().for_each(|target| self.walk(target, bound));
                call.args.iter().for_each(|arg| self.walk(arg, bound));
            }
            Expr::Select(select) => self.walk(&select.operand, bound),
            Expr::List(list) => list.elements.iter().for_each(|each| self.walk(each, bound)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.entry(&entry.expr, bound)),
            Expr::Struct(of) => of.entries.iter().for_each(|entry| self.entry(&entry.expr, bound)),
            Expr::Comprehension(over) => {
                self.walk(&over.iter_range, bound);
                let before = bound.len();
                bound.extend([over.iter_var.clone(), over.accu_var.clone()]);
                bound.extend(over.iter_var2.clone());
                for part in [&over.accu_init, &over.loop_cond, &over.loop_step, &over.result] {
                    self.walk(part, bound);
                }
                bound.truncate(before);
            }
        }
    }

    fn entry(&mut self, entry: &EntryExpr, bound: &mut Vec<String>) {
        match entry {
            EntryExpr::StructField(field) => self.walk(&field.value, bound),
            EntryExpr::MapEntry(entry) => {
                self.walk(&entry.key, bound);
                self.walk(&entry.value, bound);
            }
        }
    }

    fn call(&mut self, name: &str, is_method: bool, args: &[IdedExpr]) {
        let text = |index: usize| match args.get(index).map(|arg| &arg.expr) {
            Some(Expr::Literal(LiteralValue::String(text))) => Some(text.inner().to_owned()),
            _ => None,
        };
        let (look, count) = match name {
            "state" => (Look::State { service: text(0), key: text(1) }, 2),
            "effects" => (Look::Effects(text(0)), 1),
            "replies" => (Look::Replies(text(0)), 1),
            _ => {
                let is_operator = !name.starts_with(|c: char| c.is_ascii_alphabetic());
                if !is_operator && !STANDARD.contains(&name) {
                    self.unknown_functions.push(name.to_owned());
                }
                return;
            }
        };
        let known = FUNCTIONS.iter().find(|(known, _)| *known == name);
        if let Some((name, _)) = known.filter(|_| is_method || args.len() != count) {
            self.miscounted = Some((name, args.len()));
        }
        if !self.looks.contains(&look) {
            self.looks.push(look);
        }
    }
}

/// Whether `expr` is, at its beginning, what something looks at: `state('A', 'b').c`.
fn looks_at_something(expr: &IdedExpr) -> bool {
    match &expr.expr {
        Expr::Call(call) if FUNCTIONS.iter().any(|(name, _)| *name == call.func_name) => true,
        Expr::Call(call) if call.func_name == "size" => {
            call.target.as_deref().or(call.args.first()).is_some_and(looks_at_something)
        }
        Expr::Call(call) if call.func_name == operators::INDEX => {
            call.args.first().is_some_and(looks_at_something)
        }
        Expr::Select(select) if !select.test => looks_at_something(&select.operand),
        _ => false,
    }
}

/// `expr` as it may be written; none if it is more than a name, a value or a call.
fn written(expr: &IdedExpr) -> Option<String> {
    Some(match &expr.expr {
        Expr::Ident(name) => name.clone(),
        Expr::Literal(LiteralValue::String(text)) => format!("'{}'", text.inner()),
        Expr::Literal(LiteralValue::Int(number)) => number.inner().to_string(),
        Expr::Select(select) if !select.test => {
            format!("{}.{}", written(&select.operand)?, select.field)
        }
        Expr::Call(call) if call.func_name == operators::INDEX => {
            let [of, index] = call.args.as_slice() else { return None };
            format!("{}[{}]", written(of)?, written(index)?)
        }
        Expr::Call(call) if call.func_name.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            let args: Option<Vec<String>> = call.args.iter().map(written).collect();
            let target = match &call.target {
                Some(target) => format!("{}.", written(target)?),
                None => String::new(),
            };
            format!("{target}{}({})", call.func_name, args?.join(", "))
        }
        _ => return None,
    })
}
