//! Calls by full path in the tokens of a macro that nobody can parse.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;

use super::is_punct;
use super::table::{Rule, message};

/// The calls in `tokens` that break a rule: the path, the rule, what to say.
pub(super) fn calls(tokens: &TokenStream) -> Vec<(TokenStream, Rule, String)> {
    let mut found = Vec::new();
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Group(group) => found.extend(calls(&group.stream())),
            TokenTree::Ident(_) => {
                let start = at;
                let mut name = token.to_string();
                while let Some(next) = next_of_path(&tokens, at) {
                    name = format!("{name}::{next}");
                    at += 3;
                }
                let follows = tokens.get(at + 1);
                let called = matches!(follows, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis);
                if let Some((rule, message)) = message(&name).filter(|_| called) {
                    let path = tokens.get(start..=at).unwrap_or_default();
                    let path = path.iter().map(ToTokens::to_token_stream).collect();
                    found.push((path, rule, message));
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// The name behind the `::` behind the name at `at`.
fn next_of_path(tokens: &[TokenTree], at: usize) -> Option<String> {
    if !is_punct(tokens.get(at + 1), ':') || !is_punct(tokens.get(at + 2), ':') {
        return None;
    }
    match tokens.get(at + 3) {
        Some(TokenTree::Ident(name)) => Some(name.to_string()),
        _ => None,
    }
}
