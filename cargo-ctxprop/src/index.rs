//! What stands where in a file: its functions, blocks, modules and imports, by byte offsets. Nothing here is ever printed;
//! it only tells where to edit.

use std::collections::BTreeSet;
use std::ops::Range;
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream};

use crate::routers::Router;
use crate::tokens::{self, Token, TokenKind};
use crate::visit::Visitor;

/// A file, as parsed.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) tokens: Vec<Token>,
    pub(crate) functions: Vec<Function>,
    pub(crate) blocks: Vec<Block>,
    /// The file itself is the first one.
    pub(crate) modules: Vec<Module>,
    /// Chains `Router::new().route(..)`, and the names of what is nested into them.
    pub(crate) routers: Vec<Router>,
    pub(crate) nested: Vec<String>,
    /// Statements, with their attributes.
    pub(crate) statements: Vec<Range<usize>>,
    /// `mod name;`
    pub(crate) files: Vec<ModFile>,
}

/// Something that can have attributes.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// With its attributes.
    pub(crate) whole: Range<usize>,
    /// Where it starts behind its attributes.
    pub(crate) start: usize,
    pub(crate) attrs: Vec<Attr>,
    /// In what is compiled for tests only.
    pub(crate) test: bool,
    pub(crate) module: usize,
}

impl Place {
    pub(crate) fn attr(&self, name: &str) -> Option<&Attr> {
        self.attrs.iter().find(|attr| attr.name == name)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Attr {
    /// The last part of its path.
    pub(crate) name: String,
    /// The crate or module before it, where that is written.
    pub(crate) of: Option<String>,
    pub(crate) range: Range<usize>,
    /// What stands in its parentheses, without white space.
    pub(crate) args: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Function {
    pub(crate) place: Place,
    pub(crate) name: String,
    pub(crate) is_async: bool,
    pub(crate) foreign_abi: bool,
    /// With its braces.
    pub(crate) body: Option<Range<usize>>,
    pub(crate) fn_token: usize,
    /// The type behind `->`.
    pub(crate) output: Option<Range<usize>>,
    /// The type behind `Output =`, where it returns `impl Future<Output = ..>`.
    pub(crate) future_of: Option<Range<usize>>,
    /// Whether it gives a future that borrows nothing, and so cannot become an `async fn`.
    pub(crate) lasting_future: bool,
    /// The `impl` block or trait around it.
    pub(crate) block: Option<usize>,
    pub(crate) context: Option<Named>,
    /// Where a first parameter behind `self` would go, and whether others follow.
    pub(crate) parameters: (usize, bool),
    /// Each parameter but `self`: its type, in short.
    pub(crate) types: Vec<String>,
}

/// The parameter that is the context.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) by_reference: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) place: Place,
    pub(crate) kind: BlockKind,
    /// The last part of the name of the trait, or of the type that an `impl` is for.
    pub(crate) name: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BlockKind {
    Trait(String),
    Inherent,
    /// Of the trait of this name.
    Of(String),
}

#[derive(Debug, Clone)]
pub(crate) struct Module {
    pub(crate) path: String,
    /// What is inside.
    pub(crate) range: Range<usize>,
    pub(crate) imports: Vec<Import>,
    /// Behind inner attributes and docs.
    pub(crate) start: usize,
    /// What is defined or imported here under a name, without globs.
    pub(crate) names: BTreeSet<String>,
    /// Those of them that come from tonic.
    pub(crate) of_tonic: BTreeSet<String>,
    pub(crate) test: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Import {
    pub(crate) range: Range<usize>,
    /// The first name of its path.
    pub(crate) root: String,
    pub(crate) plain: bool,
    /// What `use ctxprop::..;` imports, where it is of the plain form.
    pub(crate) ours: Option<Vec<String>>,
}

#[derive(Debug, Clone)]
pub(crate) struct ModFile {
    pub(crate) name: String,
    pub(crate) path: Option<String>,
    /// The inline modules around it.
    pub(crate) inside: Vec<String>,
    pub(crate) test: bool,
}

impl Module {
    /// Whether it imports `name` of ctxprop.
    pub(crate) fn imports(&self, name: &str) -> bool {
        self.imports
            .iter()
            .filter_map(|import| import.ours.as_ref())
            .flatten()
            .any(|ours| ours == name)
    }
}

impl Index {
    /// # Errors
    /// The text is no Rust file.
    pub(crate) fn of(text: &str) -> Result<Index, syn::Error> {
        let before = prelude(text);
        let source = text.get(before..).unwrap_or_default();
        let stream = TokenStream::from_str(source)?;
        let tokens = tokens::flatten(&stream, before);
        let file: syn::File = syn::parse2(stream)?;
        let mut index = Index { tokens, ..Index::default() };
        Visitor::new(&mut index, before, text.len()).file(&file);
        Ok(index)
    }

    /// The innermost function whose body is around `at`.
    pub(crate) fn function_around(&self, at: usize) -> Option<usize> {
        self.functions
            .iter()
            .enumerate()
            .filter(|(_, function)| function.body.as_ref().is_some_and(|body| body.contains(&at)))
            .min_by_key(|(_, function)| function.body.as_ref().map_or(usize::MAX, Range::len))
            .map(|(found, _)| found)
    }

    /// The function one of whose tokens `at` is, body or not.
    pub(crate) fn function_at(&self, at: usize) -> Option<usize> {
        self.functions
            .iter()
            .enumerate()
            .filter(|(_, function)| function.place.whole.contains(&at))
            .min_by_key(|(_, function)| function.place.whole.len())
            .map(|(found, _)| found)
    }

    /// The innermost statement around `at`.
    pub(crate) fn statement_at(&self, at: usize) -> Option<Range<usize>> {
        let around = self.statements.iter().filter(|statement| statement.contains(&at));
        around.min_by_key(|statement| statement.len()).cloned()
    }

    /// The innermost module around `at`.
    pub(crate) fn module_at(&self, at: usize) -> usize {
        self.modules
            .iter()
            .enumerate()
            .filter(|(_, module)| module.range.contains(&at))
            .min_by_key(|(_, module)| module.range.len())
            .map_or(0, |(found, _)| found)
    }

    /// The attribute `#[propagate]` that counts for a function: its own, or that of the block around it.
    pub(crate) fn ours<'a>(&'a self, function: &'a Function) -> Option<&'a Attr> {
        if let Some(own) = function.place.attr("propagate") {
            return (own.args != "skip").then_some(own);
        }
        let block = &self.blocks[function.block?];
        let reached = function.is_async && !is_entry(&function.place) || function.context.is_some();
        block.place.attr("propagate").filter(|_| reached)
    }

    /// Whether `at` is inside of the parentheses, brackets or braces of a macro call.
    pub(crate) fn macro_around(&self, at: usize) -> Option<&str> {
        let mut found = None;
        for (index, token) in self.tokens.iter().enumerate() {
            if token.range.start > at {
                break;
            }
            let TokenKind::Open(delimiter, close) = token.kind else { continue };
            let reaches = self.tokens[close].range.start >= at;
            if !reaches || delimiter == Delimiter::None || index < 2 {
                continue;
            }
            if self.tokens[index - 1].is_punct('!')
                && let Some(name) = self.tokens[index - 2].ident()
            {
                found = Some(name);
            }
        }
        found
    }
}

/// Attributes that make a function an entry point: nobody is there to give it a context.
pub(crate) fn is_entry(place: &Place) -> bool {
    const ENTRIES: &[&str] = &["main", "test", "rstest", "test_case", "wasm_bindgen_test", "bench"];
    place.attrs.iter().any(|attr| ENTRIES.contains(&attr.name.as_str()))
}

/// How many bytes stand before what a parser of Rust takes: a byte order mark, a `#!` line.
fn prelude(text: &str) -> usize {
    let mark = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let rest = text.get(mark..).unwrap_or_default();
    let shebang = rest.starts_with("#!") && !rest[2..].trim_start().starts_with('[');
    mark + if shebang { rest.find('\n').unwrap_or(rest.len()) } else { 0 }
}
