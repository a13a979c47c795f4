//! What a source file says: its `use` lines, its paths and its types, without its tests.

use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeSet;
use syn::visit::{Visit, visit_item, visit_item_mod, visit_path};
use syn::{
    Attribute, Ident, Item, ItemEnum, ItemMod, ItemStruct, ItemTrait, ItemType, ItemUse, Path, UseTree, Visibility,
};

/// A name that a `use` line brings into a file.
pub(super) struct Use {
    /// The segments as written, without an alias. The last one of a glob is `*`.
    pub(super) path: Vec<String>,
    /// The name in this file.
    pub(super) name: String,
    /// Whether other files can reach the name through this one.
    pub(super) visibility: Visibility,
}

/// The parts of a file that matter here.
#[derive(Default)]
pub(super) struct SourceFile {
    pub(super) uses: Vec<Use>,
    /// Paths of at least two segments outside of `use` lines.
    pub(super) paths: BTreeSet<Vec<String>>,
    /// All identifiers outside of `use` lines.
    pub(super) identifiers: BTreeSet<String>,
    /// The modules in files of their own that exist for tests only.
    pub(super) test_modules: Vec<String>,
    /// Structs, enums, traits and type aliases, without associated types.
    pub(super) types: Vec<String>,
}

impl SourceFile {
    /// # Errors
    /// The text is not valid Rust.
    pub(super) fn read(text: &str) -> syn::Result<Self> {
        let mut source = Self::default();
        source.visit_file(&syn::parse_file(text)?);
        Ok(source)
    }

    fn read_tree(&mut self, tree: &UseTree, prefix: &[String], visibility: &Visibility) {
        let mut path = prefix.to_vec();
        let name = match tree {
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.read_tree(tree, prefix, visibility));
            }
            UseTree::Path(inner) => {
                path.push(inner.ident.to_string());
                return self.read_tree(&inner.tree, &path, visibility);
            }
            UseTree::Glob(_) => "*".to_owned(),
            UseTree::Name(name) => name.ident.to_string(),
            UseTree::Rename(name) => name.ident.to_string(),
        };
        // `a::{self}` names `a`.
        if path.is_empty() || name != "self" {
            path.push(name);
        }
        let last = path.last().expect("it is not empty").clone();
        let name = if let UseTree::Rename(name) = tree { name.rename.to_string() } else { last };
        self.uses.push(Use { path, name, visibility: visibility.clone() });
    }

    fn add_path(&mut self, path: Vec<String>) {
        self.identifiers.extend(path.iter().cloned());
        if path.len() > 1 {
            self.paths.insert(path);
        }
    }

    /// Reads the tokens of a macro invocation, which have no fixed grammar. It does not recognize grouped `use` lines there.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let mut path = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match &token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(_) if colons == 2 => {}
                _ => self.add_path(std::mem::take(&mut path)),
            }
            colons = 0;
            match token {
                TokenTree::Ident(name) => path.push(name.to_string()),
                TokenTree::Group(group) => self.read_tokens(group.stream()),
                _ => {}
            }
        }
        self.add_path(path);
    }
}

impl Visit<'_> for SourceFile {
    fn visit_item_mod(&mut self, module: &ItemMod) {
        let is_test = |attribute: &Attribute| {
            attribute.path().is_ident("cfg") && attribute.parse_args::<Ident>().is_ok_and(|cfg| cfg == "test")
        };
        if !module.attrs.iter().any(is_test) {
            visit_item_mod(self, module);
        } else if module.content.is_none() {
            self.test_modules.push(module.ident.to_string());
        }
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        self.read_tree(&item.tree, &[], &item.vis);
    }

    fn visit_path(&mut self, path: &Path) {
        self.add_path(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit_path(self, path);
    }

    fn visit_token_stream(&mut self, tokens: &TokenStream) {
        self.read_tokens(tokens.clone());
    }

    fn visit_ident(&mut self, name: &Ident) {
        self.identifiers.insert(name.to_string());
    }

    fn visit_item(&mut self, item: &Item) {
        if let Item::Struct(ItemStruct { ident, .. })
        | Item::Enum(ItemEnum { ident, .. })
        | Item::Trait(ItemTrait { ident, .. })
        | Item::Type(ItemType { ident, .. }) = item
        {
            self.types.push(ident.to_string());
        }
        visit_item(self, item);
    }
}
