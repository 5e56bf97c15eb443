//! What each form expands to, kept beside the example of it in `tests/expand`, small enough to read; and the messages
//! that no compiled test can show.
//!
//! After a change, look at the new expansions and accept them with `EXPAND=overwrite cargo test -p ctxprop-macros`.

use std::fs;
use std::path::Path;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Item, Meta};

/// Expands the item that `source` is, as the compiler would.
fn expanded(source: &str) -> String {
    let mut file = syn::parse_file(source).unwrap();
    let mut items = TokenStream::new();
    for mut item in std::mem::take(&mut file.items) {
        let attr = match attrs(&mut item) {
            Some(attrs) => attrs
                .iter()
                .position(|attr| attr.path().is_ident("propagate"))
                .map(|at| attrs.remove(at)),
            None => None,
        };
        items.extend(match attr.map(|attr| attr.meta) {
            Some(Meta::List(list)) => super::expand(list.tokens, item.into_token_stream()),
            Some(_) => super::expand(TokenStream::new(), item.into_token_stream()),
            None => item.into_token_stream(),
        });
    }
    // All paths of generated code start there: without it they read better.
    let text = items.to_string().replace(":: ctxprop :: __private :: ", "");
    prettyplease::unparse(&syn::parse_str(&text).unwrap())
}

fn attrs(item: &mut Item) -> Option<&mut Vec<Attribute>> {
    match item {
        Item::Fn(item) => Some(&mut item.attrs),
        Item::Impl(item) => Some(&mut item.attrs),
        Item::Trait(item) => Some(&mut item.attrs),
        Item::Mod(item) => Some(&mut item.attrs),
        _ => None,
    }
}

#[test]
fn expansions() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expand");
    let overwrite = std::env::var_os("EXPAND").is_some_and(|value| value == "overwrite");
    let mut seen = 0;
    let mut wrong = Vec::new();
    let mut entries: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".rs") || name.ends_with(".expanded.rs") {
            continue;
        }
        seen += 1;
        let now = expanded(&fs::read_to_string(&path).unwrap());
        let kept = path.with_extension("expanded.rs");
        if overwrite {
            fs::write(&kept, &now).unwrap();
        } else if fs::read_to_string(&kept).unwrap_or_default() != now {
            wrong.push(format!("{name} expands to\n{now}"));
        }
    }
    assert!(seen >= 10, "one example of each form");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the macro says of an item that no test can compile.
fn message(item: TokenStream) -> String {
    let expanded = super::expand(TokenStream::new(), item.clone()).to_string();
    assert!(expanded.ends_with(&item.to_string()), "the item stays as it is: {expanded}");
    let (_, message) = expanded.split_once("compile_error ! { \"").unwrap();
    message.split_once("\" }").unwrap().0.to_owned()
}

#[test]
fn what_does_not_compile_anyway_is_told_why() {
    assert!(
        message(quote!(|| 2)).starts_with("`#[propagate]` goes on functions, not on a closure")
    );
    assert!(message(quote!(let one = 1;)).contains("not on a `let`"));
    assert!(message(quote!(f().await)).contains("not on an expression"));
    assert!(
        message(quote!(
            mod handlers;
        ))
        .contains("this one's is in another file")
    );
    assert!(
        message(quote!(
            extern crate core;
        ))
        .contains("not on an `extern crate`")
    );
    assert!(message(quote!(async fn broken)).contains("expected"));
}
