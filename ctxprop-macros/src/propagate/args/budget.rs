//! `budget = "250ms"` and `budget = "40%"`.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::Error;

use crate::arg::Arg;
use crate::krate::PrivateAt;

const BUDGET: &str = "expected `budget = \"250ms\"` or `budget = \"40%\"`";

/// What a body may use of its caller's time.
#[derive(Clone, Copy)]
pub(crate) enum Budget {
    Time(Duration),
    Share(f64),
}

impl Budget {
    /// Parses a duration as humans write it, or a share of what remains.
    pub(super) fn parse(arg: &Arg) -> syn::Result<Budget> {
        let text = arg.string(BUDGET)?;
        let value = text.value();
        let error = |message: &str| Err(Error::new(text.span(), message));
        if let Some(percent) = value.strip_suffix('%') {
            return match percent.trim().parse::<f64>() {
                Ok(percent) if percent > 0.0 && percent <= 100.0 => {
                    Ok(Budget::Share(percent / 100.0))
                }
                _ => error("expected a share of more than 0% and at most 100%"),
            };
        }
        match humantime::parse_duration(&value) {
            Ok(Duration::ZERO) => error("a budget of nothing ends the body before it starts"),
            Ok(budget) => Ok(Budget::Time(budget)),
            Err(_) => error(
                "expected a duration like \"250ms\", \"2s\" or \"1m 30s\", or a share like \"40%\"",
            ),
        }
    }

    /// The expression that makes one.
    pub(crate) fn expr(self, private: PrivateAt<'_>) -> TokenStream {
        let site = Span::mixed_site();
        match self {
            Budget::Share(share) => quote_spanned!(site=> #private::Budget::Share(#share)),
            Budget::Time(time) => {
                let (secs, nanos) = (time.as_secs(), time.subsec_nanos());
                quote_spanned!(site=> #private::Budget::time(#secs, #nanos))
            }
        }
    }
}
