//! Which file takes which names from which other file.

use super::source::{SourceFile, Use};
use crate::files::{path, rust_files};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use syn::Visibility;

/// The place of a module: the names from the root of its crate, which is empty.
pub(super) type ModulePath = Vec<String>;

/// The files of a crate by their module. Test modules are left out: they may use anything.
pub(super) struct Crate {
    files: BTreeMap<ModulePath, SourceFile>,
}

/// A name that one file takes from another.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Import {
    pub(super) from: ModulePath,
    /// The module in which the name is declared.
    pub(super) to: ModulePath,
    /// The top-level module through which it is named.
    pub(super) through: String,
    pub(super) name: String,
}

impl Crate {
    /// The crate whose sources are in this folder of the repository.
    pub(super) fn read(folder: &str) -> Self {
        let root = path(folder);
        let texts = rust_files(&root).into_iter().map(|file| {
            let module = file.strip_prefix(&root).unwrap().with_extension("");
            let module = module.iter().map(|name| name.to_str().unwrap().to_owned()).collect::<ModulePath>();
            (module, fs::read_to_string(&file).unwrap())
        });
        Self::of(texts)
    }

    pub(super) fn of(texts: impl IntoIterator<Item = (ModulePath, String)>) -> Self {
        let sources = texts.into_iter().map(|(module, text)| {
            let module = if module == ["lib"] { ModulePath::new() } else { module };
            let source = SourceFile::read(&text).unwrap_or_else(|error| panic!("{}: {error}", module.join("/")));
            (module, source)
        });
        let mut files: BTreeMap<ModulePath, SourceFile> = sources.collect();
        let tests: Vec<ModulePath> = files
            .iter()
            .flat_map(|(module, source)| source.test_modules.iter().map(|test| child(module, test)))
            .collect();
        files.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        Self { files }
    }

    /// The types of all files, each with the module that declares it.
    pub(super) fn types(&self) -> impl Iterator<Item = (&str, &ModulePath)> {
        self.files.iter().flat_map(|(module, source)| source.types.iter().map(move |name| (name.as_str(), module)))
    }

    /// The top-level modules, without `main.rs` and `lib.rs`.
    pub(super) fn top_level(&self) -> BTreeSet<&str> {
        let first = self.files.keys().filter_map(|module| module.first());
        first.map(String::as_str).filter(|module| *module != "main").collect()
    }

    /// Every import between two files of the library. A public `use` line passes a name on: it counts where its own file needs the
    /// name. A `use` line of a module counts as far as paths begin with the module.
    pub(super) fn imports(&self) -> BTreeSet<Import> {
        let mut imports = BTreeSet::new();
        for (from, source) in self.files.iter().filter(|(from, _)| *from != &["main"]) {
            let is_needed = |used: &&Use| {
                matches!(used.visibility, Visibility::Inherited) || source.identifiers.contains(&used.name)
            };
            let needed = source.uses.iter().filter(is_needed).filter(|used| !self.is_module(from, &used.path));
            let paths = needed.map(|used| &used.path).chain(&source.paths);
            for (through, to, name) in paths.filter_map(|path| self.declared(from, path)) {
                if to != *from {
                    imports.insert(Import { from: from.clone(), to, through, name });
                }
            }
        }
        imports
    }

    fn is_module(&self, from: &ModulePath, path: &[String]) -> bool {
        self.absolute(from, path).is_some_and(|path| self.files.contains_key(&path))
    }

    /// The path from the root of this crate, or `None` if it leads to another crate.
    fn absolute(&self, from: &ModulePath, path: &[String]) -> Option<ModulePath> {
        let (first, rest) = path.split_first()?;
        let start = match first.as_str() {
            "crate" => ModulePath::new(),
            "self" => from.clone(),
            "super" => {
                let (_, parent) = from.split_last()?;
                // `super::super` goes on from the parent.
                return match rest.first().map(String::as_str) {
                    Some("super") => self.absolute(&parent.to_vec(), rest),
                    _ => Some([parent, rest].concat()),
                };
            }
            name if self.files.contains_key(&child(from, name)) => child(from, name),
            name => {
                let used = self.files[from].uses.iter().find(|used| used.name == name && used.path[0] != name)?;
                self.absolute(from, &used.path)?
            }
        };
        Some([start.as_slice(), rest].concat())
    }

    /// The top-level module that a path names, the module that declares its first item, and the item.
    fn declared(&self, from: &ModulePath, path: &[String]) -> Option<(String, ModulePath, String)> {
        let absolute = self.absolute(from, path)?;
        let mut known = (1..absolute.len()).rev().map(|length| absolute.split_at(length));
        let (module, items) = known.find(|(module, _)| self.files.contains_key(*module)).unwrap_or((&[], &absolute));
        let name = items.first()?;
        let through = absolute[0].clone();
        // A name that the module itself has from elsewhere.
        let mut passed_on = self.files[module].uses.iter().filter(|used| used.name == *name);
        match passed_on.next() {
            Some(used) if module != from.as_slice() => {
                let (_, module, name) = self.declared(&module.to_vec(), &used.path)?;
                Some((through, module, name))
            }
            _ => Some((through, module.to_vec(), name.clone())),
        }
    }
}

fn child(module: &ModulePath, name: &str) -> ModulePath {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

/// The groups of files of which each reaches every other one.
pub(super) fn cycles(imports: &BTreeSet<Import>) -> Vec<BTreeSet<&ModulePath>> {
    let modules: BTreeSet<&ModulePath> = imports.iter().map(|import| &import.from).collect();
    let reached: BTreeMap<&ModulePath, BTreeSet<&ModulePath>> =
        modules.iter().map(|module| (*module, reached_from(module, imports))).collect();
    let mut cycles = BTreeSet::new();
    for (module, reached_by_it) in &reached {
        let cycle: BTreeSet<&ModulePath> = reached_by_it
            .iter()
            .copied()
            .filter(|other| reached.get(other).is_some_and(|back| back.contains(module)))
            .collect();
        if !cycle.is_empty() {
            cycles.insert(cycle);
        }
    }
    cycles.into_iter().collect()
}

fn reached_from<'a>(start: &ModulePath, imports: &'a BTreeSet<Import>) -> BTreeSet<&'a ModulePath> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(module) = open.pop() {
        for import in imports.iter().filter(|import| import.from == *module) {
            if reached.insert(&import.to) {
                open.push(&import.to);
            }
        }
    }
    reached
}

/// The imports within a cycle, a line for each pair of files.
pub(super) fn shown(cycle: &BTreeSet<&ModulePath>, imports: &BTreeSet<Import>) -> String {
    let mut pairs: BTreeMap<(&ModulePath, &ModulePath), Vec<&str>> = BTreeMap::new();
    for import in imports.iter().filter(|import| cycle.contains(&import.from) && cycle.contains(&import.to)) {
        pairs.entry((&import.from, &import.to)).or_default().push(&import.name);
    }
    let line = |((from, to), names): ((&ModulePath, &ModulePath), Vec<&str>)| {
        format!("  {} -> {}: {}\n", from.join("::"), to.join("::"), names.join(", "))
    };
    pairs.into_iter().map(line).collect()
}
