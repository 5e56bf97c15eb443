//! [`Shown`]: what of the baggage is shown.

use std::collections::BTreeSet;

use ctxprop::BaggageMap;

use crate::model::Entry;

/// The keys whose values are shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown(BTreeSet<String>);

impl Shown {
    pub(crate) fn add(&mut self, keys: impl IntoIterator<Item = impl Into<String>>) {
        self.0.extend(keys.into_iter().map(Into::into));
    }

    /// All keys, and the values that are shown. What is private never is, whatever was said.
    pub(crate) fn of(&self, baggage: &BaggageMap) -> Vec<Entry> {
        let is_shown = |key: &str| self.0.contains(key) && !baggage.is_private(key);
        let entry = |(key, value): (&str, &str)| Entry {
            key: key.to_owned(),
            value: is_shown(key).then(|| value.to_owned()),
        };
        baggage.iter().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_where_it_was_said_and_private_ones_never() {
        let mut builder = BaggageMap::builder();
        builder.insert("tenant", "acme").unwrap();
        builder.insert("user", "u-7").unwrap();
        builder.insert_private("secret", "s").unwrap();
        let baggage = builder.build();
        let mut shown = Shown::default();
        assert!(shown.of(&baggage).iter().all(|entry| entry.value.is_none()));
        shown.add(["tenant", "secret"]);
        let told: Vec<_> =
            shown.of(&baggage).into_iter().map(|entry| (entry.key, entry.value)).collect();
        assert_eq!(
            told,
            [
                ("tenant".to_owned(), Some("acme".to_owned())),
                ("user".to_owned(), None),
                ("secret".to_owned(), None)
            ]
        );
    }
}
