//! `baggage`.

use ctxprop::wire::{Incoming, Outgoing, baggage};
use ctxprop::{BaggageErrorKind, BaggageMap, MAX_BAGGAGE_BYTES, MAX_BAGGAGE_MEMBERS, SpanContext};
use http::{HeaderMap, HeaderName};

use crate::assert_can_be_sent;

const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// The longest line that is built of several members.
const MAX_LINE: usize = 8_000;

type Member<'a> = (&'a str, &'a str, Vec<(&'a str, Option<&'a str>)>);

fn members(map: &BaggageMap) -> Vec<Member<'_>> {
    map.iter().map(|(key, value)| (key, value, map.properties(key).collect())).collect()
}

/// What the next hop receives.
fn sent(map: &BaggageMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let nowhere = SpanContext::invalid();
    let outgoing = Outgoing { span: &nowhere, baggage: Some(map), remaining: None };
    outgoing.write(&mut headers).expect("no budget");
    headers
}

/// Bytes of all lines as one list.
fn bytes(map: &BaggageMap) -> usize {
    map.header_lines().iter().map(|line| line.len() + 1).sum::<usize>().saturating_sub(1)
}

/// What is sent on is within limits, means what came, and is sent on by the next hop as it is.
pub fn check(headers: &HeaderMap) {
    let map = baggage::extract(headers);
    assert_eq!(map.is_empty(), map.len() == 0);
    assert!(map.len() <= MAX_BAGGAGE_MEMBERS && bytes(&map) <= MAX_BAGGAGE_BYTES);
    for line in map.header_lines() {
        let alone = !line.as_bytes().contains(&b',');
        assert_can_be_sent(line, if alone { MAX_BAGGAGE_BYTES } else { MAX_LINE });
    }
    let next = sent(&map);
    let heard = Incoming::from_headers(&next);
    assert_eq!(heard.dropped(), 0, "{next:?}");
    assert_eq!(members(&heard.baggage), members(&map));
    assert_eq!(sent(&heard.baggage), next);

    // A builder that changes nothing changes nothing.
    let same = map.to_builder().build();
    assert_eq!(members(&same), members(&map));
    assert_eq!(members(&baggage::extract(&sent(&same))), members(&map));

    encoded_anew(&map);

    // Nothing that is private leaves the mesh, in whatever form it came, and nothing else is lost.
    let public = map.without_private();
    assert!(public.iter().eq(map.iter().filter(|(key, _)| !map.is_private(key))));
    for line in public.header_lines() {
        let line = baggage::extract(&HeaderMap::from_iter([(BAGGAGE, line.clone())]));
        assert!(line.iter().all(|(key, _)| !line.is_private(key)), "{line:?}");
    }
}

/// What was decoded means the same once it is encoded again, by whoever does so.
fn encoded_anew(map: &BaggageMap) {
    let mut builder = BaggageMap::builder();
    for (key, value, properties) in members(map) {
        match builder.insert_with(key, value, properties) {
            Ok(_) => {}
            // U+FFFD for an invalid byte is longer than the byte.
            Err(error) if matches!(error.kind(), BaggageErrorKind::TooLarge { .. }) => return,
            Err(error) => panic!("{error}"),
        }
    }
    let built = builder.build();
    assert_eq!(members(&built), members(map));
    assert!(bytes(&built) <= MAX_BAGGAGE_BYTES);
    assert_eq!(members(&baggage::extract(&sent(&built))), members(map));
}
