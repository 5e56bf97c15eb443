//! What an await becomes: a leaf in the function, threaded in a block inside it.
//!
//! The user's code is put in as tokens: what was parsed and rewritten once is not parsed again at each await around it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::token::Brace;
use syn::{Arm, Expr, ExprMatch, Pat, Token};

use super::{Kind, Rewriter, how};

impl Rewriter<'_> {
    /// A place of the function that gives up when `end` says so.
    pub(crate) fn bail(&mut self, end: &Ident) -> TokenStream {
        self.frame.uses_how = true;
        let how = how();
        let bail = quote_spanned!(Span::mixed_site()=> #how.bail(#end));
        // What gives `!` has nothing to return, and never bails.
        if self.never { bail } else { quote_spanned!(Span::mixed_site()=> return #bail) }
    }

    /// What awaits `awaited`: as a leaf in the function, threaded in a block. Errors are shown at `at`.
    pub(crate) fn awaited(&mut self, awaited: &impl ToTokens, at: Span) -> Expr {
        self.changed();
        self.frame.awaits = true;
        // All at one place: errors that say the same there are shown once.
        let site = Span::mixed_site().located_at(at);
        let private = self.private(site);
        if self.frame.kind != Kind::Function {
            return Expr::Verbatim(quote_spanned!(site=> #private::thread(#awaited).await));
        }
        let how = Ident::new("how", site);
        let leaf = quote_spanned!(site=> #private::leaf((#awaited).propagated_kind(), #how));
        self.leaf(&leaf, site)
    }

    /// What awaits `join`, a block around a `join!` of parts, in the function. `exempt` tells whether all of them are.
    pub(crate) fn joined(&mut self, join: &TokenStream, exempt: &TokenStream, at: Span) -> Expr {
        self.changed();
        self.frame.awaits = true;
        let site = Span::mixed_site().located_at(at);
        let (private, how) = (self.private(site), Ident::new("how", site));
        self.leaf(&quote_spanned!(site=> #private::joined(#join, #exempt, #how)), site)
    }

    /// The value of a leaf, or the end returned.
    fn leaf(&mut self, leaf: &TokenStream, site: Span) -> Expr {
        let (private, end) = (self.private(site), Ident::new("end", site));
        let bail = self.bail(&end);
        match_at(
            site,
            quote_spanned!(site=> #leaf.await),
            [
                (quote_spanned!(site=> #private::Ok(value)), quote_spanned!(site=> value)),
                (quote_spanned!(site=> #private::Err(#end)), bail),
            ],
        )
    }
}

/// `match value { pattern => body, .. }`. It is a `match` to whatever prints it inside of the user's expression, which
/// puts parentheses around it where one needs them.
pub(crate) fn match_at<const N: usize>(
    site: Span,
    value: TokenStream,
    arms: [(TokenStream, TokenStream); N],
) -> Expr {
    let arm = |(pattern, body)| Arm {
        attrs: Vec::new(),
        pat: Pat::Verbatim(pattern),
        fat_arrow_token: Token![=>](site),
        body: Box::new(Expr::Verbatim(body)),
        comma: Some(Token![,](site)),
    };
    Expr::Match(ExprMatch {
        attrs: Vec::new(),
        match_token: Token![match](site),
        expr: Box::new(Expr::Verbatim(value)),
        brace_token: Brace(site),
        arms: arms.map(arm).into(),
    })
}
