//! `rename_all`: how the names of fields become keys, and those of variants values. The cases are serde's, and one with
//! dots, which names of attributes in OpenTelemetry have.

use syn::{Error, LitStr};

#[derive(Clone, Copy)]
pub(super) struct Case {
    /// Between words; `None` is the case that leaves words as they stand.
    between: Option<&'static str>,
    first: Letters,
    others: Letters,
}

#[derive(Clone, Copy)]
enum Letters {
    Lower,
    Upper,
    Capital,
}

impl Case {
    pub(super) const EXPECTED: &str =
        "expected the case of all names, such as `rename_all = \"kebab-case\"`";

    pub(super) fn parse(name: &LitStr) -> syn::Result<Case> {
        use Letters::{Capital, Lower, Upper};
        let (between, first, others) = match name.value().as_str() {
            "lowercase" => (None, Lower, Lower),
            "UPPERCASE" => (None, Upper, Upper),
            "PascalCase" => (Some(""), Capital, Capital),
            "camelCase" => (Some(""), Lower, Capital),
            "snake_case" => (Some("_"), Lower, Lower),
            "SCREAMING_SNAKE_CASE" => (Some("_"), Upper, Upper),
            "kebab-case" => (Some("-"), Lower, Lower),
            "SCREAMING-KEBAB-CASE" => (Some("-"), Upper, Upper),
            "dot.case" => (Some("."), Lower, Lower),
            _ => {
                let message = "unknown case: expected \"lowercase\", \"UPPERCASE\", \"PascalCase\", \"camelCase\", \
                               \"snake_case\", \"SCREAMING_SNAKE_CASE\", \"kebab-case\", \"SCREAMING-KEBAB-CASE\" or \
                               \"dot.case\"";
                return Err(Error::new(name.span(), message));
            }
        };
        Ok(Case { between, first, others })
    }

    /// Of a name in `snake_case`.
    pub(super) fn of_field(self, name: &str) -> String {
        let words: Vec<&str> = name.split('_').filter(|word| !word.is_empty()).collect();
        self.join(&words, "_")
    }

    /// Of a name in `PascalCase`.
    pub(super) fn of_variant(self, name: &str) -> String {
        let mut words = Vec::new();
        let mut rest = name;
        while !rest.is_empty() {
            let next = rest.char_indices().skip(1).find(|(_, letter)| letter.is_uppercase());
            let (word, later) = rest.split_at(next.map_or(rest.len(), |(at, _)| at));
            words.push(word);
            rest = later;
        }
        self.join(&words, "")
    }

    fn join(self, words: &[&str], as_they_stand: &str) -> String {
        let words = words.iter().enumerate().map(|(index, word)| {
            let letters = if index == 0 { self.first } else { self.others };
            match letters {
                Letters::Lower => word.to_lowercase(),
                Letters::Upper => word.to_uppercase(),
                Letters::Capital => {
                    let (first, rest) =
                        word.split_at(word.chars().next().map_or(0, char::len_utf8));
                    first.to_uppercase() + &rest.to_lowercase()
                }
            }
        });
        words.collect::<Vec<_>>().join(self.between.unwrap_or(as_they_stand))
    }
}
