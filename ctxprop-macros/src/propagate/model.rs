//! A function as it was understood: what the files behind this one work on. Nothing in it can be wrong.

use proc_macro2::{Ident, TokenStream};
use syn::{FnArg, Pat};

use super::args::ctx::Context;
use super::types::Output;
use super::{Args, Function};
use crate::krate::Private;

/// What becomes of a function (`expand.rs` has the table).
pub(crate) enum Form {
    /// It names its context, and runs as a scope of that.
    Given(Context),
    /// It is given one where it is awaited.
    NeedsCtx,
    /// It stays what its trait asks for, and runs under what is current.
    InPlace,
    /// It is not async: the rules apply.
    Plain,
    /// `#[instrument]` reads it first: the function with the attributes in that order.
    AfterInstrument(TokenStream),
}

pub(crate) struct Model<'a> {
    pub(crate) args: &'a Args,
    pub(crate) private: Private,
    pub(crate) output: Output,
    /// The patterns of the parameters, as written.
    pub(crate) params: Vec<Pat>,
    /// The name of its context, if it has one.
    pub(crate) name: Option<Ident>,
}

impl<'a> Model<'a> {
    pub(crate) fn new(function: &Function, form: &Form, args: &'a Args) -> Model<'a> {
        let private = args.private();
        let pattern = |input: &FnArg| match input {
            FnArg::Typed(input) => Some((*input.pat).clone()),
            FnArg::Receiver(_) => None,
        };
        let name = match form {
            Form::Given(context) => context.name(&function.sig),
            // A plain function has one too, if it has a name: it is where the rules apply.
            Form::Plain => Context::all(&function.sig, args)
                .next()
                .and_then(|context| context.name(&function.sig)),
            _ => None,
        };
        Model {
            args,
            output: Output::of(&function.sig, &private),
            params: function.sig.inputs.iter().filter_map(pattern).collect(),
            name,
            private,
        }
    }
}
