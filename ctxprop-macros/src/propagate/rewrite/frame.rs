//! Where the rewriter is: in which body, and where in it.

use proc_macro2::{Ident, Span};

/// Where in its frame the code at hand is.
#[derive(Clone, Copy, Default)]
pub(super) struct Here {
    /// In a closure, and may run where no context is current.
    pub(super) in_closure: bool,
    /// In a closure that may capture the context.
    pub(super) may_borrow: bool,
    /// In what is awaited where it stands: a closure there stays in the function.
    pub(super) stays: bool,
    /// In a closure that is called once, and takes the context with it.
    pub(super) once: bool,
    /// Where the closure or block itself has bound the name of the context.
    pub(super) bound: bool,
    /// Right behind `let name =`: a closure there may have to be `Copy`.
    pub(super) named: bool,
}

/// One body that is polled on its own: the function's, or that of an async block.
#[derive(Default)]
pub(crate) struct Frame {
    pub(crate) kind: BodyKind,
    /// Whether `how` was used.
    pub(crate) uses_how: bool,
    /// Whether the local `propagated_ctx` was used.
    pub(crate) uses_ctx: bool,
    /// Whether anything is awaited.
    pub(crate) awaits: bool,
    /// Whether anything here or in a block inside is awaited that is no leaf of its own.
    pub(crate) branches: bool,
    /// Whether a call is made here or in a block inside that something else awaits.
    pub(crate) carries: bool,
    /// Whether the name of the context is bound anew here: `propagated_ctx` is then what the name means (`name.rs`).
    pub(crate) renames: bool,
    /// Whether that is by an assignment: no closure can then borrow it across one.
    pub(crate) assigns: bool,
    /// Whether this is a block that borrows what is outside: what it assigns there stays when it is over.
    pub(crate) borrows: bool,
    /// Whether closures are made beside: they capture the context of the frame as well, to tell where they are called.
    pub(crate) captures_both: bool,
    /// Whether closures without `move` may borrow the local longer than rustc finds a word for.
    pub(crate) lends: bool,
}

impl Frame {
    /// The local that closures carry. Its span is one of the user's: rustc does not name the variables of a macro,
    /// and its hint for a closure that outlives the function is about this one. Where that is bound or assigned again while a
    /// closure may borrow it, and of an async closure, rustc says no more than that it is borrowed: so its name says what to write.
    pub(crate) fn ctx(&self, at: Span) -> Ident {
        let name = if self.lends { "ctx_of_a_closure_without_move" } else { "propagated_ctx" };
        Ident::new(name, at)
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// The async function: its awaits are leaves.
    #[default]
    Function,
    /// An async block or closure inside it: its awaits pass the context on, and are no leaves.
    Block,
    /// A plain function: the rules apply, and nothing is rewritten.
    Plain,
}
