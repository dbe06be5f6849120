//! Reads the sources of a crate: its modules, what each defines and imports, and in which file a name is defined.
//!
//! Must not know: any rule.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Item, UseTree, Visibility,
    visit::{self, Visit},
};

/// The text of files, by their path from the repository's root.
pub(super) type Files = BTreeMap<String, String>;

/// A path in code: `crate::base::Seed`, and its line.
pub(super) type Named = (usize, Vec<String>);

/// A `use`, one name of it.
#[derive(Debug)]
struct Use {
    line: usize,
    /// None for `*`.
    name: Option<String>,
    path: Vec<String>,
    public: bool,
}

/// A module of a crate.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) path: Vec<String>,
    pub(super) file: String,
    /// Whether it has modules in other files: then it may re-export what is theirs.
    has_files: bool,
    defined: BTreeSet<String>,
    uses: Vec<Use>,
    paths: Vec<Named>,
}

/// The modules of a crate.
#[derive(Debug, Default)]
pub(super) struct Crate {
    pub(super) modules: Vec<Module>,
    by_path: BTreeMap<Vec<String>, usize>,
    /// The modules that macros for the whole crate are defined in.
    macros: BTreeMap<String, usize>,
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A module.
    Module(usize),
    /// An item that is defined in this module.
    Item(usize),
}

/// One module's mention of something.
#[derive(Debug)]
pub(super) struct Mention<'c> {
    pub(super) by: &'c Module,
    pub(super) line: usize,
    pub(super) path: &'c [String],
    /// None if it is of another crate.
    pub(super) target: Option<Target>,
    /// True for a `use` that makes a name of the module's own files known outside.
    pub(super) re_export: bool,
}

/// What is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tests {
    Included,
    LeftOut,
}

/// All files of these folders of the repository that end in `.rs`.
pub(super) fn files(folders: &[&str]) -> Files {
    fn add(root: &Path, folder: &Path, found: &mut Files) {
        let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        for path in entries.map(|entry| entry.expect("it can be listed").path()) {
            if path.is_dir() {
                add(root, &path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(root).expect("it lies below the root");
                let text = fs::read_to_string(&path).expect("a source can be read");
                found.insert(name.to_string_lossy().replace('\\', "/"), text);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Files::new();
    for folder in folders {
        add(root, &root.join(folder), &mut found);
    }
    found
}

impl Crate {
    /// The crate whose root is the file `root`. Modules that are never compiled, `#[cfg(any())]`, are left out.
    pub(super) fn read(files: &Files, root: &str, tests: Tests) -> Self {
        let mut all = Self::default();
        let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
        all.file(files, Vec::new(), root, folder, tests);
        all
    }

    fn file(&mut self, files: &Files, path: Vec<String>, file: &str, folder: &str, tests: Tests) {
        let text = files.get(file).unwrap_or_else(|| panic!("there is no {file}"));
        let parsed = syn::parse_file(text).unwrap_or_else(|e| panic!("{file}: {e}"));
        self.module(files, path, file, folder, parsed.items, tests);
    }

    fn module(
        &mut self,
        files: &Files,
        path: Vec<String>,
        file: &str,
        folder: &str,
        items: Vec<Item>,
        tests: Tests,
    ) {
        let index = self.modules.len();
        let file = file.to_owned();
        let (defined, uses, paths) = (BTreeSet::new(), Vec::new(), Vec::new());
        let mut module = Module {
            path: path.clone(),
            file: file.clone(),
            has_files: false,
            defined,
            uses,
            paths,
        };
        let mut inner = Vec::new();
        for item in items {
            let hidden = cfg(attributes(&item));
            if hidden == Some(Cfg::Never) || hidden == Some(Cfg::Test) && tests == Tests::LeftOut {
                continue;
            }
            if let Item::Macro(one) = &item
                && one.attrs.iter().any(|a| a.path().is_ident("macro_export"))
                && let Some(name) = &one.ident
            {
                self.macros.insert(name.to_string(), index);
            }
            module.defined.extend(name_of(&item));
            match item {
                Item::Mod(one) => {
                    module.has_files |= one.content.is_none();
                    inner.push(one);
                }
                other => module.visit_item(&other),
            }
        }
        self.by_path.insert(path.clone(), index);
        self.modules.push(module);
        for one in inner {
            let name = one.ident.to_string();
            let path = [&path[..], std::slice::from_ref(&name)].concat();
            let inside = format!("{folder}/{name}");
            match one.content {
                Some((_, items)) => self.module(files, path, &file, &inside, items, tests),
                None => {
                    let (flat, deep) = (format!("{inside}.rs"), format!("{inside}/mod.rs"));
                    let children: Vec<_> = named(&one.attrs).collect();
                    if children.is_empty() {
                        let child = if files.contains_key(&flat) { flat } else { deep };
                        self.file(files, path, &child, &inside, tests);
                        continue;
                    }
                    // one file or another, whose own modules lie beside it
                    for child in children.iter().map(|name| format!("{folder}/{name}")) {
                        self.file(files, path.clone(), &child, folder, tests);
                    }
                }
            }
        }
    }

    /// The files of the crate.
    pub(super) fn files(&self) -> BTreeSet<&str> {
        self.modules.iter().map(|module| module.file.as_str()).collect()
    }

    /// Everything that modules mention.
    pub(super) fn mentions(&self) -> Vec<Mention<'_>> {
        let mut mentions = Vec::new();
        for (index, by) in self.modules.iter().enumerate() {
            for one in &by.uses {
                let re_export = one.public && by.has_files;
                let target = self.resolve(index, &one.path, 0);
                mentions.push(Mention { by, line: one.line, path: &one.path, target, re_export });
            }
            for (line, path) in &by.paths {
                let target = self.resolve(index, path, 0);
                mentions.push(Mention { by, line: *line, path, target, re_export: false });
            }
        }
        mentions
    }

    fn resolve(&self, from: usize, path: &[String], depth: u32) -> Option<Target> {
        let mut module = from;
        let mut rest = path;
        let mut found = None;
        while let [first, others @ ..] = rest {
            match first.as_str() {
                "crate" => module = 0,
                "self" => {}
                "super" => {
                    let own = &self.modules[module].path;
                    module = self.by_path[&own[..own.len().saturating_sub(1)]];
                }
                _ => break,
            }
            found = Some(Target::Module(module));
            rest = others;
        }
        for name in rest {
            match found {
                None => found = Some(self.lookup(module, name, depth)?),
                Some(Target::Module(inside)) => {
                    // what no item defines here, a macro does
                    found = Some(self.lookup(inside, name, depth).unwrap_or(Target::Item(inside)));
                }
                Some(Target::Item(_)) => break,
            }
        }
        found
    }

    fn lookup(&self, inside: usize, name: &str, depth: u32) -> Option<Target> {
        if depth > 8 {
            return None;
        }
        let module = &self.modules[inside];
        let child = [&module.path[..], &[name.to_owned()]].concat();
        if let Some(child) = self.by_path.get(&child) {
            return Some(Target::Module(*child));
        }
        if module.defined.contains(name) {
            return Some(Target::Item(inside));
        }
        if let Some(one) = module.uses.iter().find(|u| u.name.as_deref() == Some(name)) {
            return self.resolve(inside, &one.path, depth + 1);
        }
        let globs = module.uses.iter().filter(|u| u.name.is_none());
        let mut found =
            globs.filter_map(|glob| match self.resolve(inside, &glob.path, depth + 1)? {
                Target::Module(other) if other != inside => self.lookup(other, name, depth + 1),
                _ => None,
            });
        let macros = || self.macros.get(name).filter(|_| inside == 0).map(|m| Target::Item(*m));
        found.next().or_else(macros)
    }
}

impl<'a> Visit<'a> for Module {
    fn visit_item_mod(&mut self, _: &'a syn::ItemMod) {}

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        let public = !matches!(item.vis, Visibility::Inherited);
        flatten(&item.tree, &mut Vec::new(), &mut |line, name, path| {
            self.uses.push(Use { line, name, path, public });
        });
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        if let Some(first) = path.segments.first() {
            let line = first.ident.span().start().line;
            self.paths.push((line, path.segments.iter().map(|s| s.ident.to_string()).collect()));
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, one: &'a syn::Macro) {
        visit::visit_macro(self, one);
        paths_in(one.tokens.clone(), &mut self.paths);
    }
}

/// Every name of a `use`: its line, the name in the module (none for `*`), and the path.
fn flatten(
    tree: &UseTree,
    before: &mut Vec<String>,
    add: &mut impl FnMut(usize, Option<String>, Vec<String>),
) {
    match tree {
        UseTree::Path(one) => {
            before.push(one.ident.to_string());
            flatten(&one.tree, before, add);
            before.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, add)),
        UseTree::Glob(glob) => add(glob.star_token.spans[0].start().line, None, before.clone()),
        UseTree::Name(one) => {
            let (line, name) = (one.ident.span().start().line, one.ident.to_string());
            match before.last() {
                Some(last) if name == "self" => add(line, Some(last.clone()), before.clone()),
                _ => add(line, Some(name.clone()), [&before[..], &[name]].concat()),
            }
        }
        UseTree::Rename(one) => {
            let path = [&before[..], &[one.ident.to_string()]].concat();
            add(one.ident.span().start().line, Some(one.rename.to_string()), path);
        }
    }
}

/// The paths in what is given to a macro.
fn paths_in(tokens: TokenStream, found: &mut Vec<Named>) {
    let mut path: Option<Named> = None;
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                match &mut path {
                    Some((_, names)) if colons == 2 => names.push(ident.to_string()),
                    _ => {
                        found.extend(path.take());
                        path = Some((ident.span().start().line, vec![ident.to_string()]));
                    }
                }
                colons = 0;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            other => {
                found.extend(path.take());
                colons = 0;
                if let TokenTree::Group(group) = other {
                    paths_in(group.stream(), found);
                }
            }
        }
    }
    found.extend(path);
}

/// Names and string literals of a file, with their lines; comments and doc comments left out.
pub(super) fn words(text: &str) -> Vec<(usize, String)> {
    fn add(tokens: TokenStream, found: &mut Vec<(usize, String)>) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => {
                    let first = group.stream().into_iter().next();
                    if !matches!(first, Some(TokenTree::Ident(ident)) if ident == "doc") {
                        add(group.stream(), found);
                    }
                }
                TokenTree::Ident(ident) => {
                    found.push((ident.span().start().line, ident.to_string()));
                }
                TokenTree::Literal(text) => {
                    found.push((text.span().start().line, text.to_string()));
                }
                TokenTree::Punct(_) => {}
            }
        }
    }
    let mut found = Vec::new();
    add(text.parse().expect("a source is made of tokens"), &mut found);
    found
}

/// When an item is compiled, if not always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cfg {
    Test,
    Never,
}

fn cfg(attributes: &[Attribute]) -> Option<Cfg> {
    attributes.iter().filter(|a| a.path().is_ident("cfg")).find_map(|attribute| {
        let list = attribute.meta.require_list().ok()?;
        let condition: String = list.tokens.to_string().split_whitespace().collect();
        match condition.as_str() {
            "any()" => Some(Cfg::Never),
            "test" => Some(Cfg::Test),
            other if other.starts_with("all(test,") => Some(Cfg::Test),
            _ => None,
        }
    })
}

/// The files that `path` names, each under a condition.
fn named(attributes: &[Attribute]) -> impl Iterator<Item = String> {
    attributes.iter().filter(|a| a.path().is_ident("cfg_attr")).filter_map(|attribute| {
        let list = attribute.meta.require_list().ok()?;
        let text: String = list.tokens.to_string().split_whitespace().collect();
        let (_, rest) = text.split_once("path=\"")?;
        rest.split_once('"').map(|(name, _)| name.to_owned())
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(i) => &i.attrs,
        Item::Enum(i) => &i.attrs,
        Item::Fn(i) => &i.attrs,
        Item::Impl(i) => &i.attrs,
        Item::Macro(i) => &i.attrs,
        Item::Mod(i) => &i.attrs,
        Item::Static(i) => &i.attrs,
        Item::Struct(i) => &i.attrs,
        Item::Trait(i) => &i.attrs,
        Item::Type(i) => &i.attrs,
        Item::Use(i) => &i.attrs,
        _ => &[],
    }
}

fn name_of(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(i) => i.ident.to_string(),
        Item::Enum(i) => i.ident.to_string(),
        Item::Fn(i) => i.sig.ident.to_string(),
        Item::Macro(i) => i.ident.as_ref()?.to_string(),
        Item::Static(i) => i.ident.to_string(),
        Item::Struct(i) => i.ident.to_string(),
        Item::Trait(i) => i.ident.to_string(),
        Item::Type(i) => i.ident.to_string(),
        Item::Union(i) => i.ident.to_string(),
        _ => return None,
    })
}
