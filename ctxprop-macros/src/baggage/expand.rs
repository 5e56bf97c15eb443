//! Writes the implementation.
//!
//! ```text
//! impl Baggage for Caller {
//!     // the constants of `limits.rs`
//!     fn from_baggage(map: &BaggageMap) -> Result<Self, BaggageError> {
//!         Ok(Self {
//!             user_id: field::<u64>("user.id", "u64").max_len(20).read(map)?,
//!             tenant: field::<String>("tenant", "String").read_option(map)?,
//!             tier: field::<Tier>("tier", "Tier").read_or(map, || Tier::Free)?,
//!         })
//!     }
//!     fn to_baggage(&self, out: &mut BaggageMapBuilder) -> Result<(), BaggageError> {
//!         field::<u64>("user.id", "u64").max_len(20).write(&self.user_id, out)?;
//!         ..
//!         Ok(())
//!     }
//! }
//! ```
//!
//! A type that is no baggage field is one error although both functions name it: rustc reports the same error at the
//! same place once.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Generics, Type, WherePredicate, parse_quote_spanned};

use super::limits;
use super::validate::{Absent, Entry, Implementation, Role};
use crate::krate::Private;

pub(super) fn implementation(item: &Implementation) -> TokenStream {
    let site = Span::mixed_site();
    let private = item.private.at(site);
    let body = Body::of(item);
    let (map, read, out, write) = (body.map, body.read, body.out, body.write);
    let generics = bounded(item);
    let allowed = &item.allowed;
    let (ident, (params, args, conditions)) = (&item.ident, generics.split_for_impl());
    let constants = limits::constants(item);
    let (mut now, mut later) = (TokenStream::new(), TokenStream::new());
    if item.generics.params.is_empty() {
        for check in limits::checks(item, &ident.to_token_stream()) {
            now.extend(quote_spanned!(site=> #(#[allow(#allowed)])* const _: () = #check;));
        }
    } else {
        // What is generic is known where it is used.
        for check in limits::checks(item, &quote!(Self)) {
            later.extend(quote_spanned!(site=> const { #check };));
        }
    }
    quote_spanned! {site=>
        #[automatically_derived]
        #(#[allow(#allowed)])*
        impl #params #private::Baggage for #ident #args #conditions {
            #constants

            fn from_baggage(
                #map: &#private::BaggageMap,
            ) -> #private::Result<Self, #private::BaggageError> {
                #later
                #read
            }

            fn to_baggage(
                &self,
                #out: &mut #private::BaggageMapBuilder,
            ) -> #private::Result<(), #private::BaggageError> {
                #later
                #write
            }
        }

        #now
    }
}

/// The bodies of both functions, and their parameters.
struct Body {
    map: TokenStream,
    read: TokenStream,
    out: TokenStream,
    write: TokenStream,
}

impl Body {
    fn of(item: &Implementation) -> Body {
        let site = Span::mixed_site();
        let private = item.private.at(site);
        let mut body = Body {
            map: quote!(_),
            read: quote_spanned!(site=> #private::mistaken()),
            out: quote!(_),
            write: quote_spanned!(site=> #private::mistaken()),
        };
        let Some(fields) = &item.fields else {
            return body;
        };
        let (mut reads, mut writes) = (TokenStream::new(), TokenStream::new());
        for (ident, role) in fields {
            let value = match role {
                Role::Entry(entry) => {
                    body.map = quote_spanned!(site=> map);
                    body.out = quote_spanned!(site=> out);
                    writes.extend(write(ident, entry, &item.private));
                    read(entry, &item.private)
                }
                Role::Flattened { at, ty } => {
                    body.map = quote_spanned!(site=> map);
                    body.out = quote_spanned!(site=> out);
                    let (at, private) = (self::at(ty), item.private.at(at.span()));
                    writes.extend(
                        quote_spanned!(at=> <#ty as #private::Baggage>::to_baggage(&self.#ident, out)?;),
                    );
                    quote_spanned!(at=> <#ty as #private::Baggage>::from_baggage(map)?)
                }
                Role::Skipped { at, .. } => default(at, &item.private),
                Role::Mistaken => quote_spanned!(site=> #private::mistaken()),
            };
            reads.extend(quote_spanned!(site=> #ident: #value,));
        }
        body.read = quote_spanned!(site=> #private::Ok(Self { #reads }));
        body.write = quote_spanned!(site=> #writes #private::Ok(()));
        body
    }
}

fn read(entry: &Entry, private: &Private) -> TokenStream {
    let place = place(entry, private);
    let at = at(&entry.ty);
    match &entry.absent {
        Absent::Missing => quote_spanned!(at=> #place.read(map)?),
        Absent::None => quote_spanned!(at=> #place.read_option(map)?),
        Absent::Default { at: word } => {
            let default = default(word, private);
            quote_spanned!(at=> #place.read_or(map, || #default)?)
        }
        Absent::Value(value) => quote_spanned!(at=> #place.read_or(map, || #value)?),
    }
}

fn write(ident: &Ident, entry: &Entry, private: &Private) -> TokenStream {
    let place = place(entry, private);
    let at = at(&entry.ty);
    match entry.absent {
        Absent::None => quote_spanned!(at=> #place.write_option(&self.#ident, out)?;),
        _ => quote_spanned!(at=> #place.write(&self.#ident, out)?;),
    }
}

/// Where the field travels.
pub(super) fn place(entry: &Entry, private: &Private) -> TokenStream {
    let Entry { key, ty, expected, .. } = entry;
    let at = at(ty);
    let private = private.at(at);
    let max_len = entry.max_len.map(|max_len| {
        let max_len = Literal::usize_unsuffixed(max_len);
        quote_spanned!(at=> .max_len(#max_len))
    });
    let mark = entry.private.then(|| quote_spanned!(at=> .private()));
    quote_spanned!(at=> #private::field::<#ty>(#key, #expected) #max_len #mark)
}

/// Where the compiler is to point if something is wrong with a field of this type.
fn at(ty: &Type) -> Span {
    Span::mixed_site().located_at(ty.span())
}

/// The default of whatever type is expected there, as the word `at` demands.
fn default(at: &Ident, private: &Private) -> TokenStream {
    let at = Span::mixed_site().located_at(at.span());
    let private = private.at(at);
    quote_spanned!(at=> #private::default())
}

/// The generics of the item, and what each type parameter needs that is itself the type of a field, as with the
/// derives of the standard library.
fn bounded(item: &Implementation) -> Generics {
    let site = Span::mixed_site();
    let private = item.private.at(site);
    let mut bounds: Vec<WherePredicate> = Vec::new();
    for (_, role) in item.fields.iter().flatten() {
        match role {
            Role::Entry(entry) if is_param(&entry.ty, &item.generics) => {
                let ty = &entry.ty;
                bounds.push(parse_quote_spanned!(site=> #ty: #private::Text));
                if let Absent::Default { .. } = entry.absent {
                    bounds.push(parse_quote_spanned!(site=> #ty: #private::Default));
                }
            }
            Role::Flattened { ty, .. } if is_param(ty, &item.generics) => {
                bounds.push(parse_quote_spanned!(site=> #ty: #private::Baggage));
            }
            Role::Skipped { ty, .. } if is_param(ty, &item.generics) => {
                bounds.push(parse_quote_spanned!(site=> #ty: #private::Default));
            }
            _ => {}
        }
    }
    let mut generics = item.generics.clone();
    if !bounds.is_empty() {
        generics.make_where_clause().predicates.extend(bounds);
    }
    generics
}

fn is_param(ty: &Type, generics: &Generics) -> bool {
    matches!(ty, Type::Path(ty) if generics.type_params().any(|param| ty.path.is_ident(&param.ident)))
}
