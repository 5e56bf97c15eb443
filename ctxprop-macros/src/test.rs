//! `#[ctxprop::test]`: a test function whose body is a `#[propagate]` function inside of it, run by the harness of
//! `ctxprop::testing`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Error, FnArg, Ident, ItemFn, LitBool, LitInt, LitStr, Token, Type};

use crate::errors::Errors;
use crate::krate::Krate;

/// What `#[ctxprop::test(..)]` says of its runtime, and what it hands on to `#[propagate]`.
#[derive(Default)]
struct Args {
    flavor: Option<(Flavor, Span)>,
    worker_threads: Option<LitInt>,
    start_paused: Option<LitBool>,
    krate: Krate,
    handed_on: Vec<TokenStream>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flavor {
    CurrentThread,
    MultiThread,
}

/// `key`, `key = value` or `key(..)`
struct Arg {
    key: Ident,
    value: Option<TokenStream>,
    list: Option<TokenStream>,
}

impl Parse for Arg {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut arg = Arg { key: Ident::parse_any(input)?, value: None, list: None };
        if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            let mut value = TokenStream::new();
            while !input.is_empty() && !input.peek(Token![,]) {
                input.parse::<proc_macro2::TokenTree>()?.to_tokens(&mut value);
            }
            arg.value = Some(value);
        } else if input.peek(syn::token::Paren) {
            arg.list = Some(input.parse::<proc_macro2::Group>()?.stream());
        }
        Ok(arg)
    }
}

impl Args {
    fn parse(tokens: TokenStream, errors: &mut Errors) -> Args {
        let mut args = Args::default();
        let list = Punctuated::<Arg, Token![,]>::parse_terminated.parse2(tokens);
        for arg in errors.ok(list).into_iter().flatten() {
            args.take(arg, errors);
        }
        if let Some(threads) = &args.worker_threads
            && args.flavor() == Flavor::CurrentThread
        {
            errors.at(threads, "`worker_threads` needs `flavor = \"multi_thread\"`");
        }
        if let Some(paused) = &args.start_paused
            && paused.value
            && args.flavor() == Flavor::MultiThread
        {
            errors.at(paused, "the clock of a runtime of several threads cannot be paused");
        }
        args
    }

    fn take(&mut self, Arg { key, value, list }: Arg, errors: &mut Errors) {
        let name = key.unraw().to_string();
        let value = match (&*name, value, list) {
            ("flavor" | "worker_threads" | "start_paused" | "crate", Some(value), None) => value,
            ("flavor" | "worker_threads" | "start_paused" | "crate", ..) => {
                return errors.at(&key, format_args!("expected `{name} = ..`"));
            }
            // `#[propagate]` says what is wrong with the others.
            (_, Some(value), _) => return self.handed_on.push(quote!(#key = #value)),
            (_, None, Some(list)) => return self.handed_on.push(quote!(#key(#list))),
            (_, None, None) => return self.handed_on.push(quote!(#key)),
        };
        match &*name {
            "flavor" => {
                let flavor = syn::parse2::<LitStr>(value.clone()).ok();
                let flavor = flavor.and_then(|flavor| match &*flavor.value() {
                    "current_thread" => Some((Flavor::CurrentThread, flavor.span())),
                    "multi_thread" => Some((Flavor::MultiThread, flavor.span())),
                    _ => None,
                });
                if flavor.is_none() {
                    errors.at(&value, "expected `\"current_thread\"` or `\"multi_thread\"`");
                }
                self.flavor = flavor;
            }
            "worker_threads" => {
                let threads = syn::parse2::<LitInt>(value.clone());
                let threads = threads.ok().filter(|n| n.base10_parse().is_ok_and(|n: usize| n > 0));
                if threads.is_none() {
                    errors.at(&value, "expected a number of threads");
                }
                self.worker_threads = threads;
            }
            "start_paused" => {
                self.start_paused = syn::parse2(value.clone()).ok();
                if self.start_paused.is_none() {
                    errors.at(&value, "expected `true` or `false`");
                }
            }
            _ => self.krate = errors.ok(Krate::parse(value)).unwrap_or_default(),
        }
    }

    fn flavor(&self) -> Flavor {
        self.flavor.map_or(Flavor::CurrentThread, |(flavor, _)| flavor)
    }

    /// The clock is paused, unless that is not wanted or not possible.
    fn start_paused(&self) -> bool {
        let wanted = self.start_paused.as_ref().map(LitBool::value);
        wanted.unwrap_or(self.flavor() == Flavor::CurrentThread)
    }
}

pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(args, &mut errors);
    let function = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            errors.push(Error::new(error.span(), "expected an `async fn`"));
            return quote!(#errors #item);
        }
    };
    if function.sig.asyncness.is_none() {
        errors.at(function.sig.fn_token, "a test with a context is an `async fn`");
        return quote!(#errors #item);
    }
    if let Some(second) = function.sig.inputs.iter().nth(1) {
        errors.at(second, "a test is given a context, and nothing else");
        return quote!(#errors #item);
    }
    let test = written(&function, &args);
    quote!(#errors #test)
}

fn written(function: &ItemFn, args: &Args) -> TokenStream {
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let (name, inputs, output) = (&sig.ident, &sig.inputs, &sig.output);
    // As if the user had written it: what `#[propagate]` generates is to find its own names in the user's code.
    let site = Span::call_site().located_at(name.span());
    let (krate, in_crate) = (args.krate.path(), args.krate.argument());
    let handed_on = args.handed_on.iter().cloned().chain(in_crate);
    let ctx = Ident::new("ctx", Span::mixed_site());
    let call = match inputs.first() {
        None => quote_spanned!(site=> |_| #name()),
        Some(FnArg::Typed(input)) if matches!(&*input.ty, Type::Reference(_)) => {
            quote_spanned!(site=> |#ctx| async move { #name(&#ctx).await })
        }
        Some(_) => quote_spanned!(site=> |#ctx| #name(#ctx)),
    };
    let flavor = match args.flavor() {
        Flavor::CurrentThread => quote!(CurrentThread),
        Flavor::MultiThread => quote!(MultiThread),
    };
    let threads = match &args.worker_threads {
        None => quote!(::core::option::Option::None),
        Some(threads) => quote!(::core::option::Option::Some(#threads)),
    };
    let paused = args.start_paused();
    quote_spanned! {site=>
        #[::core::prelude::v1::test]
        #(#attrs)*
        #vis fn #name() #output {
            #[#krate::propagate(#(#handed_on),*)]
            async fn #name(#inputs) #output #block
            #krate::testing::Harness {
                flavor: #krate::testing::Flavor::#flavor,
                worker_threads: #threads,
                start_paused: #paused,
            }
            .run(#call)
        }
    }
}
