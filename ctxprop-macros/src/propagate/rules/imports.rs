//! What the names of a body mean, as far as the body itself says: its `use` declarations, block by block.
//!
//! A name that a block declares otherwise, as an item or by a `let`, is not looked up further out.

use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{Block, Expr, Ident, Item, Pat, PatIdent, Path, Stmt, Type, UseTree};

use super::names;

#[derive(Default)]
pub(super) struct Imports(Vec<Scope>);

/// What one block declares.
#[derive(Default)]
struct Scope {
    /// `None` where the name is the body's own.
    named: Vec<(String, Option<Vec<String>>)>,
    /// The modules of `use module::*`.
    globs: Vec<Vec<String>>,
}

impl Imports {
    pub(super) fn enter(&mut self, block: &Block) {
        let mut scope = Scope::default();
        for stmt in &block.stmts {
            match stmt {
                Stmt::Item(item) => scope.item(item),
                Stmt::Local(local) => scope.pattern(&local.pat),
                _ => {}
            }
        }
        self.0.push(scope);
    }

    pub(super) fn leave(&mut self) {
        self.0.pop();
    }

    /// `a::b::c` for a path that begins at a crate, as written or by a `use`; several where the body imports
    /// whole modules. None for what only this code knows.
    pub(super) fn resolve(&self, path: &Path) -> Vec<String> {
        let mut found = Vec::new();
        if path.segments.len() == 1 && self.are_none() {
            // A bare name, as most are, is only known through an import.
        } else if path.leading_colon.is_some() {
            found.push(names(path));
        } else {
            self.expand(names(path), 0, &mut found);
        }
        found.iter().filter(|names| names.len() > 1).map(|names| names.join("::")).collect()
    }

    /// Whether the body imports nothing.
    fn are_none(&self) -> bool {
        let nothing = |scope: &Scope| {
            scope.globs.is_empty() && scope.named.iter().all(|(_, of)| of.is_none())
        };
        self.0.iter().all(nothing)
    }

    /// Whether `name` is one that the body imports.
    pub(super) fn has(&self, name: &Ident) -> bool {
        self.0.iter().any(|scope| {
            !scope.globs.is_empty()
                || scope.named.iter().any(|(known, of)| name == known && of.is_some())
        })
    }

    /// `names` with the first one replaced by what it was imported as. An import may lean on another, and on
    /// itself: `use tokio::{self}`.
    fn expand(&self, names: Vec<String>, depth: usize, found: &mut Vec<Vec<String>>) {
        let Some(first) = names.first() else { return };
        for scope in self.0.iter().rev().filter(|_| depth < DEPTH) {
            if let Some((_, of)) = scope.named.iter().find(|(name, _)| name == first) {
                if let Some(of) = of {
                    let of = of.iter().chain(names.iter().skip(1)).cloned();
                    self.expand(of.collect(), depth + 1, found);
                }
                return;
            }
            // What came by a glob is not looked for in globs once more.
            for module in scope.globs.iter().filter(|_| depth == 0) {
                let of = module.iter().chain(&names).cloned();
                self.expand(of.collect(), depth + 1, found);
            }
        }
        found.push(names);
    }
}

/// How many imports may lean on each other.
const DEPTH: usize = 8;

impl Scope {
    fn item(&mut self, item: &Item) {
        match item {
            Item::Use(item) => self.import(&item.tree, &[]),
            Item::Type(item) => {
                let of = match &*item.ty {
                    Type::Path(of) if of.qself.is_none() => Some(names(&of.path)),
                    _ => None,
                };
                self.named.push((item.ident.to_string(), of));
            }
            Item::Fn(item) => self.own(&item.sig.ident),
            Item::Mod(item) => self.own(&item.ident),
            Item::Struct(item) => self.own(&item.ident),
            Item::Enum(item) => self.own(&item.ident),
            Item::Trait(item) => self.own(&item.ident),
            Item::Const(item) => self.own(&item.ident),
            Item::Static(item) => self.own(&item.ident),
            _ => {}
        }
    }

    fn import(&mut self, tree: &UseTree, within: &[String]) {
        let inside = |name: &Ident| {
            let name = Some(name.unraw().to_string()).filter(|name| name != "self");
            within.iter().cloned().chain(name).collect::<Vec<_>>()
        };
        match tree {
            UseTree::Path(path) => self.import(&path.tree, &inside(&path.ident)),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree, within)),
            UseTree::Glob(_) => self.globs.push(within.to_vec()),
            UseTree::Name(name) => {
                let of = inside(&name.ident);
                self.named.extend(of.last().cloned().map(|name| (name, Some(of))));
            }
            UseTree::Rename(name) => {
                self.named.push((name.rename.to_string(), Some(inside(&name.ident))));
            }
        }
    }

    fn pattern(&mut self, pat: &Pat) {
        struct Bound<'a>(&'a mut Scope);
        impl Visit<'_> for Bound<'_> {
            fn visit_pat_ident(&mut self, pat: &PatIdent) {
                self.0.own(&pat.ident);
                visit::visit_pat_ident(self, pat);
            }
            fn visit_expr(&mut self, _: &Expr) {}
        }
        Bound(self).visit_pat(pat);
    }

    /// Found before any import of that name: a `let` hides it.
    fn own(&mut self, name: &Ident) {
        self.named.insert(0, (name.unraw().to_string(), None));
    }
}
