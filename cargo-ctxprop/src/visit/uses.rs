//! What a `use` binds.

use std::collections::BTreeSet;

use syn::UseTree;

/// The first name of the path.
pub(super) fn root(tree: &UseTree) -> String {
    match tree {
        UseTree::Path(path) => path.ident.to_string(),
        UseTree::Name(name) => name.ident.to_string(),
        UseTree::Rename(rename) => rename.ident.to_string(),
        UseTree::Glob(_) | UseTree::Group(_) => String::new(),
    }
}

/// The names that it binds, without those of globs.
pub(super) fn bound(tree: &UseTree, names: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(path) => bound(&path.tree, names),
        UseTree::Name(name) => drop(names.insert(name.ident.to_string())),
        UseTree::Rename(rename) => drop(names.insert(rename.rename.to_string())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| bound(tree, names)),
        UseTree::Glob(_) => {}
    }
}

/// What a plain `use ctxprop::..;` imports.
pub(super) fn ours(item: &syn::ItemUse) -> Option<Vec<String>> {
    if !item.attrs.is_empty() || !matches!(item.vis, syn::Visibility::Inherited) {
        return None;
    }
    let UseTree::Path(path) = &item.tree else { return None };
    if path.ident != "ctxprop" {
        return None;
    }
    match &*path.tree {
        UseTree::Name(name) => Some(vec![name.ident.to_string()]),
        UseTree::Group(group) => group
            .items
            .iter()
            .map(|tree| match tree {
                UseTree::Name(name) => Some(name.ident.to_string()),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}
