//! The tokens of a file in one row, with where they stand: what is inside of a macro call is there too, as in no syntax
//! tree.

use std::ops::Range;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One token.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) range: Range<usize>,
    pub(crate) kind: TokenKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Ident(String),
    Punct(char),
    Literal,
    /// The other end is the token of this index.
    Open(Delimiter, usize),
    Close(Delimiter, usize),
}

impl Token {
    pub(crate) fn ident(&self) -> Option<&str> {
        match &self.kind {
            TokenKind::Ident(name) => Some(name),
            _ => None,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.kind, TokenKind::Open(..))
    }

    pub(crate) fn is_close(&self) -> bool {
        matches!(self.kind, TokenKind::Close(..))
    }

    pub(crate) fn is_punct(&self, c: char) -> bool {
        self.kind == TokenKind::Punct(c)
    }
}

/// `stream` in a row; `before` is how many bytes of the file stand before it.
pub(crate) fn flatten(stream: &TokenStream, before: usize) -> Vec<Token> {
    let mut row = Vec::new();
    extend(&mut row, stream.clone(), before);
    row
}

fn extend(row: &mut Vec<Token>, stream: TokenStream, before: usize) {
    let moved = |range: Range<usize>| range.start + before..range.end + before;
    for tree in stream {
        let range = moved(tree.span().byte_range());
        match tree {
            TokenTree::Ident(ident) => {
                let name = ident.to_string();
                let name = name.strip_prefix("r#").unwrap_or(&name).to_owned();
                row.push(Token { range, kind: TokenKind::Ident(name) });
            }
            TokenTree::Punct(punct) => {
                row.push(Token { range, kind: TokenKind::Punct(punct.as_char()) });
            }
            TokenTree::Literal(_) => row.push(Token { range, kind: TokenKind::Literal }),
            TokenTree::Group(group) => {
                let open = row.len();
                let range = moved(group.span_open().byte_range());
                let delimiter = group.delimiter();
                row.push(Token { range, kind: TokenKind::Open(delimiter, open) });
                extend(row, group.stream(), before);
                let close = row.len();
                let range = moved(group.span_close().byte_range());
                row.push(Token { range, kind: TokenKind::Close(delimiter, open) });
                row[open].kind = TokenKind::Open(delimiter, close);
            }
        }
    }
}

/// The index of the first token that starts at `at` or behind it.
pub(crate) fn first_from(row: &[Token], at: usize) -> usize {
    row.partition_point(|token| token.range.start < at)
}

/// Where the argument list of a call of the function whose name is token `name` stands: the indexes of its parentheses.
pub(crate) fn arguments(row: &[Token], name: usize) -> Option<(usize, usize)> {
    let mut at = name + 1;
    // `name::<T>(..)`
    if row.get(at)?.is_punct(':')
        && row.get(at + 1)?.is_punct(':')
        && row.get(at + 2)?.is_punct('<')
    {
        let mut depth = 0_usize;
        at += 2;
        loop {
            match &row.get(at)?.kind {
                TokenKind::Punct('<') => depth += 1,
                // the `>` of `->`
                TokenKind::Punct('>') if row[at - 1].is_punct('-') => {}
                TokenKind::Punct('>') => depth -= 1,
                TokenKind::Open(_, close) => at = *close,
                _ => {}
            }
            at += 1;
            if depth == 0 {
                break;
            }
        }
    }
    match row.get(at)?.kind {
        TokenKind::Open(Delimiter::Parenthesis, close) => Some((at, close)),
        _ => None,
    }
}

/// The name of the function whose arguments token `at` is among.
pub(crate) fn argument_of(row: &[Token], at: usize) -> Option<&str> {
    let mut before = at.checked_sub(1)?;
    loop {
        match row[before].kind {
            TokenKind::Open(Delimiter::Parenthesis, _) => {
                return row[before.checked_sub(1)?].ident();
            }
            TokenKind::Open(..) => return None,
            TokenKind::Close(_, open) => before = open.checked_sub(1)?,
            _ => before = before.checked_sub(1)?,
        }
    }
}

/// Whether a token names a variable that a `let` between `from` and it binds.
pub(crate) fn is_local(row: &[Token], from: usize, at: usize) -> bool {
    let name = row[at].ident();
    let from = first_from(row, from);
    (from..at).any(|before| {
        let mutable = row[before].ident() == Some("mut");
        let bound = row.get(before + 1).and_then(Token::ident) == name;
        bound
            && (row[before].ident() == Some("let")
                || mutable && before > 0 && row[before - 1].ident() == Some("let"))
    })
}

/// Whether a token names a parameter of the function whose signature stands in `signature`. What has no path around it
/// there, and is written as functions are, is bound by a pattern.
pub(crate) fn is_parameter(row: &[Token], signature: Range<usize>, at: usize) -> bool {
    let name = row[at].ident();
    let (from, to) = (first_from(row, signature.start), first_from(row, signature.end));
    // behind `fn` and the name of the function
    (from + 2..to).any(|bound| {
        let of_a_path = row[bound - 1].is_punct(':') && row[bound - 2].is_punct(':');
        let begins_one = row.get(bound + 1).is_some_and(|next| next.is_punct(':'))
            && row.get(bound + 2).is_some_and(|next| next.is_punct(':'));
        row[bound].ident() == name && !of_a_path && !begins_one
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_no_functions() {
        let text = "fn start(&self, handle: Handle, S(store): S<a::load>) { run(handle, store, load, start) }";
        let row = flatten(&text.parse().expect("tokens"), 0);
        let signature = 0..text.find(" {").expect("a body");
        let is = |name| {
            let last = row.iter().rposition(|token| token.ident() == Some(name)).expect("there");
            is_parameter(&row, signature.clone(), last)
        };
        assert_eq!(["handle", "store", "load", "start"].map(is), [true, true, false, false]);
    }

    #[test]
    fn variables_are_no_functions() {
        let row = flatten(&"{ let mut send = a(); b(send); c(load) }".parse().expect("tokens"), 0);
        let last = |name| row.iter().rposition(|token| token.ident() == Some(name)).expect("there");
        assert!(is_local(&row, 0, last("send")));
        assert!(!is_local(&row, 0, last("load")));
    }

    #[test]
    fn calls_are_found_in_macros_too() {
        let text = "m! { a.load::<Vec<fn() -> u8>>(1, (2)).await }";
        let row = flatten(&text.parse().expect("tokens"), 0);
        let name = row.iter().position(|token| token.ident() == Some("load")).expect("there");
        let (_, close) = arguments(&row, name).expect("a call");
        assert_eq!(
            &text[row[name].range.start..row[close].range.end],
            "load::<Vec<fn() -> u8>>(1, (2))"
        );
        assert_eq!(row[first_from(&row, 7)].ident(), Some("load"));
    }
}
