//! The item under `#[propagate]`: what it may be, and the reason why another may not.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{
    AttrStyle, Attribute, Block, Error, Expr, Generics, ImplItemFn, Item, ItemFn, ItemImpl,
    ItemMod, ItemTrait, ReceiverKind, Signature, Stmt, Token, TraitItemFn, TypeParamBound,
    Visibility, braced, parse_quote,
};

use crate::krate::PrivateAt;

/// What `#[propagate]` goes on.
pub(crate) enum Target {
    Function(Box<Function>),
    Impl(ItemImpl),
    Trait(ItemTrait),
    Mod(ItemMod),
}

/// A free function, an inherent method or a trait's method, with or without a body.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: Option<Block>,
    pub(crate) place: Place,
}

/// Where a function stands, as far as the macro sees.
pub(crate) struct Place {
    /// Whether nothing is known to be around it.
    pub(crate) is_free: bool,
    /// Whether it implements a method of a trait.
    pub(crate) implements: bool,
    /// The generics of the `impl` block or trait around it.
    pub(crate) generics: Generics,
    /// Whether `#[async_trait]` stands on the `impl` block around it, below, and boxes its future.
    pub(crate) is_boxed_below: bool,
    /// Whether another attribute on the `impl` block around it, below, may want to see an `async fn`.
    pub(crate) is_read_below: bool,
    /// What the trait around it, if one is, demands of its types.
    pub(crate) supertraits: Option<Punctuated<TypeParamBound, Token![+]>>,
    /// The methods of that trait that need a context.
    pub(crate) siblings: Vec<Ident>,
}

impl Default for Place {
    fn default() -> Self {
        Place {
            is_free: true,
            implements: false,
            generics: Generics::default(),
            is_boxed_below: false,
            is_read_below: false,
            supertraits: None,
            siblings: Vec::new(),
        }
    }
}

impl Target {
    pub(crate) fn parse(item: TokenStream) -> syn::Result<Target> {
        match syn::parse2::<Function>(item.clone()) {
            Ok(function) => Ok(Target::Function(Box::new(function))),
            Err(error) => match syn::parse2::<Item>(item.clone()) {
                Ok(Item::Impl(item)) => Ok(Target::Impl(item)),
                Ok(Item::Trait(item)) => Ok(Target::Trait(item)),
                Ok(Item::Mod(item)) if item.content.is_some() => Ok(Target::Mod(item)),
                Ok(item) => Err(misplaced(&item)),
                Err(_) => Err(no_item(item).unwrap_or(error)),
            },
        }
    }
}

impl Function {
    fn new(
        mut attrs: Vec<Attribute>,
        vis: Visibility,
        sig: Signature,
        body: Option<Block>,
    ) -> Function {
        // those from inside the body mean the same outside
        attrs.iter_mut().for_each(|attr| attr.style = AttrStyle::Outer);
        Function { attrs, vis, sig, body, place: Place::default() }
    }

    /// Whether a trait demands it: its future is then promised to be `Send`.
    pub(crate) fn is_of_a_trait(&self) -> bool {
        self.body.is_none() || self.place.supertraits.is_some()
    }

    /// Takes the call out of a body that only passes on what another method of its trait gives: `self.other(a).await`. Made
    /// at once, it leaves nothing of `self` in the future, which then is `Send` whatever `self` is.
    pub(crate) fn take_passed_on(&mut self, name: &Ident) -> Option<Expr> {
        let body = self.body.as_mut()?;
        let [Stmt::Expr(Expr::Await(awaited), None)] = &mut body.stmts[..] else { return None };
        let Expr::MethodCall(call) = &*awaited.base else { return None };
        let is_self = matches!(&*call.receiver, Expr::Path(path) if path.path.is_ident("self"));
        let is_plain =
            |arg: &Expr| matches!(arg, Expr::Path(path) if path.path.get_ident().is_some());
        let meant = is_self
            && self.place.siblings.contains(&call.method)
            && awaited.attrs.is_empty()
            && call.args.iter().all(is_plain);
        if !meant {
            return None;
        }
        let name = parse_quote!(#name);
        Some(std::mem::replace(&mut *awaited.base, name))
    }

    /// Whether its future holds `self`: not where a trait gives it the body, which borrows `self` and does not name it.
    pub(crate) fn holds_self(&self) -> bool {
        fn named(tokens: TokenStream) -> bool {
            tokens.into_iter().any(|token| match token {
                TokenTree::Group(group) => named(group.stream()),
                TokenTree::Ident(name) => name == "self",
                _ => false,
            })
        }
        let Some(receiver) = self.sig.receiver() else { return false };
        self.place.supertraits.is_none()
            || !matches!(receiver.kind, ReceiverKind::Reference(..))
            || self.body.as_ref().is_none_or(|body| named(body.to_token_stream()))
    }

    /// The body that a trait gives it is for every `Self`, which has to be such that the future is `Send`.
    pub(crate) fn assume_self_is_send(&mut self, private: PrivateAt<'_>) {
        let (Some(supertraits), Some(_)) = (&self.place.supertraits, &self.body) else { return };
        if !self.holds_self() {
            return;
        }
        let bounds: &[&str] = match self.sig.receiver().map(|receiver| &receiver.kind) {
            None => return,
            Some(ReceiverKind::Reference(_, _, None)) => &["Sync"],
            Some(ReceiverKind::Value | ReceiverKind::Reference(..)) => &["Send"],
            Some(_) => &["Send", "Sync"],
        };
        let is_demanded = |name: &str| {
            supertraits.iter().any(|bound| match bound {
                TypeParamBound::Trait(bound) => {
                    bound.path.segments.last().is_some_and(|last| last.ident == name)
                }
                _ => false,
            })
        };
        for name in bounds.iter().filter(|name| !is_demanded(name)) {
            let name = Ident::new(name, Span::mixed_site());
            let predicates = &mut self.sig.generics.make_where_clause().predicates;
            predicates.push(parse_quote!(Self: #private::#name));
        }
    }

    /// The function with another body, in braces at `braces`. With those of the user's it is the user's function to all
    /// that speaks of functions: it is shown at its place, and reported where nothing calls it.
    pub(crate) fn with_block(&self, block: TokenStream, braces: Span) -> TokenStream {
        let Function { attrs, vis, sig, .. } = self;
        let mut body = Group::new(Delimiter::Brace, block);
        body.set_span(braces);
        quote!(#(#attrs)* #vis #sig #body)
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Function { attrs, vis, sig, body, .. } = self;
        let end = body.is_none().then(|| quote!(;));
        tokens.extend(quote!(#(#attrs)* #vis #sig #body #end));
    }
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig = input.parse()?;
        let body = if input.peek(Token![;]) {
            input.parse::<Token![;]>()?;
            None
        } else {
            let content;
            let brace_token = braced!(content in input);
            attrs.extend(content.call(Attribute::parse_inner)?);
            Some(Block { brace_token, stmts: content.call(Block::parse_within)? })
        };
        Ok(Function::new(attrs, vis, sig, body))
    }
}

impl From<ItemFn> for Function {
    fn from(item: ItemFn) -> Self {
        Function::new(item.attrs, item.vis, item.sig, Some(*item.block))
    }
}

impl From<ImplItemFn> for Function {
    fn from(item: ImplItemFn) -> Self {
        Function::new(item.attrs, item.vis, item.sig, Some(item.block))
    }
}

impl From<TraitItemFn> for Function {
    fn from(item: TraitItemFn) -> Self {
        Function::new(item.attrs, Visibility::Inherited, item.sig, item.default)
    }
}

fn misplaced(item: &Item) -> Error {
    let (token, what): (TokenStream, &str) = match item {
        Item::Struct(item) => (item.struct_token.to_token_stream(), "a struct"),
        Item::Enum(item) => (item.enum_token.to_token_stream(), "an enum"),
        Item::Union(item) => (item.union_token.to_token_stream(), "a union"),
        Item::Const(item) => (item.const_token.to_token_stream(), "a constant"),
        Item::Static(item) => (item.static_token.to_token_stream(), "a static"),
        Item::Type(item) => (item.type_token.to_token_stream(), "a type alias"),
        Item::TraitAlias(item) => (item.trait_token.to_token_stream(), "a trait alias"),
        Item::Use(item) => (item.use_token.to_token_stream(), "a `use`"),
        Item::ExternCrate(item) => (item.extern_token.to_token_stream(), "an `extern crate`"),
        Item::ForeignMod(item) => {
            let message = "`#[propagate]` goes on functions that run here, not on those of another language: they \
                           have no body to thread a context through";
            return Error::new_spanned(item.abi.extern_token, message);
        }
        Item::Mod(item) => {
            let message = "`#[propagate]` sees only modules with their content, `mod name { .. }`: this one's is in \
                           another file\n  put it on the items there";
            return Error::new_spanned(item.mod_token, message);
        }
        Item::Macro(item) => (item.mac.path.to_token_stream(), "a macro"),
        item => {
            let first = item.to_token_stream().into_iter().next();
            (first.to_token_stream(), "this")
        }
    };
    on(token, what)
}

/// Where the macro was put on a statement or an expression.
fn no_item(tokens: TokenStream) -> Option<Error> {
    let statement = |input: ParseStream<'_>| input.call(Block::parse_within);
    let statements = syn::parse::Parser::parse2(statement, tokens).ok()?;
    match statements.into_iter().next()? {
        Stmt::Local(local) => Some(on(local.let_token.to_token_stream(), "a `let`")),
        Stmt::Expr(Expr::Closure(closure), _) => {
            let message = "`#[propagate]` goes on functions, not on a closure: one inside of a `#[propagate]` \
                           function carries its context already";
            Some(Error::new_spanned(closure.inputs_begin, message))
        }
        Stmt::Expr(expr, _) => {
            let first = expr.into_token_stream().into_iter().next()?;
            Some(on(first.to_token_stream(), "an expression"))
        }
        _ => None,
    }
}

fn on(token: TokenStream, what: &str) -> Error {
    let message = format_args!(
        "`#[propagate]` goes on functions, `impl` blocks, traits and modules, not on {what}: it changes how a body \
         awaits"
    );
    Error::new_spanned(token, message)
}
