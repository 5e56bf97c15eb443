//! What an await becomes: a leaf in the function, a plain await in a block inside it.
//!
//! The user's code is put in as tokens: what was parsed and rewritten once is not parsed again at each await around it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::token::Brace;
use syn::{Arm, Expr, ExprMatch, Pat, Token};

use super::{BodyKind, Rewriter, called, how, spanned};

impl Rewriter<'_> {
    /// A place of the function that gives up when `end` says so.
    pub(crate) fn bail(&mut self, end: &Ident) -> TokenStream {
        self.frame.uses_how = true;
        let how = how();
        // What gives `!` has nothing to return and no end. A call would need a type to give.
        if self.never {
            return quote_spanned!(Span::mixed_site()=> #end.never());
        }
        let bail =
            self.at_its_end(quote_spanned!(Span::mixed_site()=> #how.bail(#end)), end.span());
        quote_spanned!(Span::mixed_site()=> return #bail)
    }

    /// What awaits `awaited`: as a leaf in the function, plainly in a block. It was written from `start` to `end`, and
    /// errors about what it gives are shown at `end`. `asked` tells whether a `?` follows.
    pub(super) fn awaited(&mut self, awaited: &Expr, start: Span, end: Span, asked: bool) -> Expr {
        self.changed();
        self.frame.awaits = true;
        if self.frame.kind != BodyKind::Function {
            self.frame.branches = true;
            let private = self.private(start);
            let branch = quote_spanned!(end=> #private::Awaited(#awaited).branch());
            let branch = self.under(branch, end);
            return Expr::Verbatim(quote_spanned!(end=> #branch.await));
        }
        // All at one place: errors that say the same there are shown once.
        let site = Span::mixed_site().located_at(end);
        let call = called(end);
        let (private, how) = (self.private(call), Ident::new("how", site));
        let kind = quote_spanned!(site=> (#awaited).propagated_kind());
        let leaf = match self.rebound(end) {
            None => quote_spanned!(call=> #private::leaf(#kind, &#how)),
            Some(ctx) => quote_spanned!(call=> #private::leaf_under(&#ctx, #kind, &#how)),
        };
        let leaf = quote_spanned!(site=> #leaf.await);
        // With a `?` behind it, it leaves the function either way.
        let value = if asked {
            self.or_return(&leaf, site)
        } else {
            self.given(&quote_spanned!(site=> #private::of_one_type(&#how, #leaf)), site)
        };
        spanned(value, start, end)
    }

    /// What is awaited under the context that its name means.
    pub(crate) fn under(&self, future: TokenStream, at: Span) -> TokenStream {
        match self.rebound(at) {
            None => future,
            Some(ctx) => {
                let site = Span::mixed_site().located_at(at);
                let private = self.private(site);
                quote_spanned!(site=> #private::under(&#ctx, #future))
            }
        }
    }

    /// What tells the end of that context.
    fn at_its_end(&self, value: TokenStream, at: Span) -> TokenStream {
        match self.rebound(at) {
            None => value,
            Some(ctx) => {
                let site = Span::mixed_site().located_at(at);
                let private = self.private(site);
                quote_spanned!(site=> #private::at(&#ctx, || #value))
            }
        }
    }

    /// The value of a leaf, or the end returned.
    fn or_return(&mut self, leaf: &TokenStream, site: Span) -> Expr {
        let end = Ident::new("end", site);
        let bail = self.bail(&end);
        self.value_or(leaf, &end, bail, site)
    }

    /// The value of a leaf, or the end as a value of that type; returned where that type cannot say it.
    pub(crate) fn given(&mut self, leaf: &TokenStream, site: Span) -> Expr {
        let (private, end) = (self.private(site), Ident::new("end", site));
        let (bail, how) = (self.bail(&end), Ident::new("how", site));
        let say = self.at_its_end(quote_spanned!(site=> #end.say(&#how)), site);
        let said = quote_spanned! {site=>
            match #say {
                #private::ControlFlow::Continue(value) => value,
                #private::ControlFlow::Break(#end) => #bail,
            }
        };
        self.value_or(leaf, &end, said, site)
    }

    fn value_or(&self, leaf: &TokenStream, end: &Ident, or: TokenStream, site: Span) -> Expr {
        let private = self.private(site);
        match_at(
            site,
            leaf.clone(),
            [
                (quote_spanned!(site=> #private::Ok(value)), quote_spanned!(site=> value)),
                (quote_spanned!(site=> #private::Err(#end)), or),
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
