//! Baggage from one type to the other. OpenTelemetry keeps the properties of a member as one text, its metadata, as the
//! header has them; here they are keys and values.

use ctxprop::{BaggageMap, BaggageMapBuilder, wire};
use opentelemetry::baggage::{Baggage, BaggageMetadata};

use crate::faults;

/// OpenTelemetry's form of `map`. Its limits count fewer bytes than W3C's, so nothing is left out; the order is.
#[must_use]
pub fn to_baggage(map: &BaggageMap) -> Baggage {
    let mut baggage = Baggage::new();
    for (key, value) in map.iter() {
        let metadata = metadata(map, key);
        baggage.insert_with_metadata(key.to_owned(), value.to_owned(), metadata);
        if baggage.get(key).is_none() {
            faults::left_out("a member of baggage", 1);
        }
    }
    baggage
}

/// ctxprop's form of `baggage`, in the order of the keys.
///
/// A member that W3C's limits have no room for, once it is encoded, or whose key is no token is left out and
/// [counted](crate::faults), and so is metadata that is no list of properties.
#[must_use]
pub fn from_baggage(baggage: &Baggage) -> BaggageMap {
    merge(&BaggageMap::empty(), baggage)
}

/// `baggage`, in the order in which `kept` has the same keys, and then in that of the keys.
pub(crate) fn merge(kept: &BaggageMap, baggage: &Baggage) -> BaggageMap {
    let mut map = BaggageMap::builder();
    for (key, _) in kept.iter() {
        if let Some((value, metadata)) = baggage.get_with_metadata(key) {
            insert(&mut map, key, value.as_str(), metadata);
        }
    }
    let mut new: Vec<_> =
        baggage.iter().filter(|(key, _)| !kept.contains_key(key.as_str())).collect();
    new.sort_unstable_by_key(|(key, _)| key.as_str());
    for (key, (value, metadata)) in new {
        insert(&mut map, key.as_str(), value.as_str(), metadata);
    }
    map.build()
}

fn insert(map: &mut BaggageMapBuilder, key: &str, value: &str, metadata: &BaggageMetadata) {
    let inserted = match metadata.as_str() {
        "" => map.insert(key, value),
        metadata => {
            let read = properties(metadata);
            map.insert_with(key, value, read.properties(MEMBER))
        }
    };
    if inserted.is_err() {
        faults::left_out("a member of baggage", 1);
    }
}

/// The key of a member that is there for its properties only.
const MEMBER: &str = "k";

/// The properties of one member as the header has them.
fn metadata(map: &BaggageMap, key: &str) -> String {
    if map.properties(key).next().is_none() {
        return String::new();
    }
    let mut alone = BaggageMap::builder();
    if alone.insert_with(MEMBER, "", map.properties(key)).is_err() {
        faults::left_out("properties of baggage", 1);
        return String::new();
    }
    let alone = alone.build();
    let line = alone.header_lines().first().and_then(|line| line.to_str().ok());
    line.and_then(|line| line.strip_prefix("k=;")).unwrap_or_default().to_owned()
}

/// A member with the properties that `metadata` lists. Not more than one: an unencoded comma would begin another.
fn properties(metadata: &str) -> BaggageMap {
    let line = vec![("baggage".to_owned(), format!("{MEMBER}=;{metadata}"))];
    let read = wire::baggage::extract(&line);
    if read.len() != 1 || read.properties(MEMBER).next().is_none() {
        faults::left_out("metadata of baggage", 1);
    }
    read
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;
    use proptest::prelude::*;

    use super::*;

    fn same(one: &BaggageMap, other: &BaggageMap) -> bool {
        one.iter().eq(other.iter())
            && one.iter().all(|(key, _)| one.properties(key).eq(other.properties(key)))
    }

    #[test]
    fn properties_are_metadata() {
        let map = BaggageMap::builder()
            .insert_with("a", "1;,=%", [("p", Some("x,y;z")), ("q", None)])
            .unwrap()
            .insert_private("b", "zwei & drei")
            .unwrap()
            .build();
        let baggage = to_baggage(&map);
        let (value, metadata) = baggage.get_with_metadata("a").unwrap();
        assert_eq!((value.as_str(), metadata.as_str()), ("1;,=%", "p=x%2Cy%3Bz;q"));
        assert_eq!(baggage.get_with_metadata("b").unwrap().1.as_str(), "private");
        let back = merge(&map, &baggage);
        assert!(same(&map, &back));
        assert!(back.is_private("b") && !back.is_private("a"));
    }

    #[test]
    fn metadata_smuggles_no_member() {
        let mut baggage = Baggage::new();
        baggage.insert_with_metadata("a", "1", "p=x,role=admin");
        baggage.insert_with_metadata("b", "2", "not a property\r\nevil: 1");
        let map = from_baggage(&baggage);
        assert_eq!(map.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "2")]);
        assert_eq!(map.properties("a").collect::<Vec<_>>(), [("p", Some("x"))]);
        let line = map.header_lines()[0].to_str().unwrap().to_owned();
        assert_eq!(line, "a=1;p=x,b=2");
    }

    #[test]
    fn what_does_not_fit_is_counted_and_costs_nothing_else() {
        let before = faults::faults().left_out;
        let large = "\u{20ac}".repeat(1_000);
        let baggage: Baggage =
            [KeyValue::new("a", "1"), KeyValue::new("b", large)].into_iter().collect();
        let map = from_baggage(&baggage);
        assert_eq!(map.iter().collect::<Vec<_>>(), [("a", "1")]);
        assert!(faults::faults().left_out > before);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_either_way(
            members in prop::collection::vec(
                (
                    "[a-z]{1,8}",
                    "\\PC{0,20}",
                    prop::collection::vec(("[a-z]{1,5}", prop::option::of("\\PC{0,10}")), 0..3),
                ),
                0..10,
            )
        ) {
            let mut builder = BaggageMap::builder();
            for (key, value, properties) in &members {
                let properties = properties.iter().map(|(key, value)| (key.as_str(), value.as_deref()));
                prop_assert!(builder.insert_with(key, value, properties).is_ok());
            }
            let map = builder.build();
            let baggage = to_baggage(&map);
            prop_assert_eq!(baggage.len(), map.len());
            prop_assert!(same(&map, &merge(&map, &baggage)));
            // .. and what OpenTelemetry has of it is the same again.
            let again = to_baggage(&from_baggage(&baggage));
            prop_assert_eq!(again.len(), baggage.len());
            for (key, pair) in &baggage {
                prop_assert_eq!(again.get_with_metadata(key), Some(pair));
            }
        }
    }
}
