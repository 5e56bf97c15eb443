//! The Chrome trace event format, as its document describes it: which fields an event of each phase has, and of what
//! types. What `--trace` writes is held to it, field by field; a field that is not documented is refused.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

/// The type of a field.
#[derive(Clone, Copy, Debug)]
enum Type {
    Text,
    /// Microseconds, with fractions.
    Time,
    /// A time span, which is not negative.
    Span,
    Integer,
    /// A string or an integer.
    Id,
    Object,
    OneOf(&'static [&'static str]),
}

/// What every event has.
const COMMON: [(&str, Type); 6] = [
    ("name", Type::Text),
    ("cat", Type::Text),
    ("ph", Type::Text),
    ("ts", Type::Time),
    ("pid", Type::Integer),
    ("tid", Type::Integer),
];

/// The fields that a phase has beside those, and whether it must have them.
fn fields(phase: &str) -> &'static [(&'static str, Type, bool)] {
    match phase {
        // A duration that has begun, and one that is complete.
        "B" => &[("args", Type::Object, false)],
        "X" => &[("dur", Type::Span, true), ("args", Type::Object, false)],
        // An instant: global, of a process, or of a thread.
        "i" => &[("s", Type::OneOf(&["g", "p", "t"]), false), ("args", Type::Object, false)],
        "C" => &[("args", Type::Object, true), ("id", Type::Id, false)],
        // A flow begins, goes on, ends: in the slice around it (`e`) or in the next.
        "s" | "t" => &[("id", Type::Id, true), ("args", Type::Object, false)],
        "f" => &[
            ("id", Type::Id, true),
            ("bp", Type::OneOf(&["e"]), false),
            ("args", Type::Object, false),
        ],
        "M" => &[("args", Type::Object, true)],
        other => panic!("no phase `{other}` is documented, or we should not use it"),
    }
}

/// What metadata says, by its name.
const METADATA: [(&str, &str, Type); 5] = [
    ("process_name", "name", Type::Text),
    ("process_labels", "labels", Type::Text),
    ("process_sort_index", "sort_index", Type::Integer),
    ("thread_name", "name", Type::Text),
    ("thread_sort_index", "sort_index", Type::Integer),
];

fn is(value: &Value, kind: Type) -> bool {
    match kind {
        Type::Text => value.as_str().is_some_and(|text| !text.is_empty()),
        Type::Time => value.as_f64().is_some_and(f64::is_finite),
        Type::Span => value.as_f64().is_some_and(|span| span.is_finite() && span >= 0.0),
        Type::Integer => value.is_i64() || value.is_u64(),
        Type::Id => value.is_string() || value.is_u64() || value.is_i64(),
        Type::Object => value.is_object(),
        Type::OneOf(words) => value.as_str().is_some_and(|text| words.contains(&text)),
    }
}

pub(crate) fn of_phase<'a>(trace: &'a Value, phase: &str) -> Vec<&'a Value> {
    events(trace).iter().filter(|event| event["ph"] == phase).collect()
}

fn events(trace: &Value) -> &Vec<Value> {
    trace["traceEvents"].as_array().expect("`traceEvents` is an array")
}

/// Panics at the first thing that is not as documented.
pub(crate) fn check(trace: &Value) {
    let file = trace.as_object().expect("the JSON object format");
    let known: HashSet<_> = ["traceEvents", "displayTimeUnit"].into();
    assert!(file.keys().all(|key| known.contains(key.as_str())), "{:?}", file.keys());
    assert!(is(&file["displayTimeUnit"], Type::OneOf(&["ms", "ns"])));
    for event in events(trace) {
        check_event(event.as_object().expect("an event is an object"));
    }
    check_nesting(trace);
    check_flows(trace);
}

fn check_event(event: &Map<String, Value>) {
    let phase = event["ph"].as_str().expect("a phase");
    let fields = fields(phase);
    for (name, kind) in COMMON {
        let value = event.get(name).unwrap_or_else(|| panic!("no {name}: {event:?}"));
        assert!(is(value, kind), "{name} is no {kind:?}: {event:?}");
    }
    for (name, kind, needed) in fields {
        match event.get(*name) {
            Some(value) => assert!(is(value, *kind), "{name} is no {kind:?}: {event:?}"),
            None => assert!(!needed, "no {name}: {event:?}"),
        }
    }
    let documented = |key: &str| {
        COMMON.iter().any(|(name, _)| *name == key) || fields.iter().any(|(name, ..)| *name == key)
    };
    assert!(event.keys().all(|key| documented(key)), "{event:?}");
    match phase {
        "C" => {
            let counters = event["args"].as_object().expect("counters");
            assert!(!counters.is_empty() && counters.values().all(Value::is_number), "{event:?}");
        }
        "M" => {
            let (_, key, kind) = METADATA
                .into_iter()
                .find(|(name, ..)| event["name"] == *name)
                .unwrap_or_else(|| panic!("unknown metadata: {event:?}"));
            assert!(is(&event["args"][key], kind), "{event:?}");
        }
        _ => {}
    }
}

/// Slices of one track lie in each other or beside each other: viewers drop what overlaps.
fn check_nesting(trace: &Value) {
    let mut tracks: HashMap<_, Vec<(f64, f64, &Value)>> = HashMap::new();
    for event in of_phase(trace, "X") {
        let from = event["ts"].as_f64().unwrap();
        let until = from + event["dur"].as_f64().unwrap();
        let track = (event["pid"].as_u64(), event["tid"].as_u64());
        tracks.entry(track).or_default().push((from, until, event));
    }
    for slices in tracks.values_mut() {
        slices.sort_by(|one, two| one.0.total_cmp(&two.0).then(two.1.total_cmp(&one.1)));
        let mut open: Vec<(f64, &Value)> = Vec::new();
        for (from, until, event) in slices {
            open.retain(|(end, _)| *end > *from + 0.01);
            for (end, around) in &open {
                // A thousandth of a microsecond is what they are rounded to.
                assert!(*until <= end + 0.01, "{event} overlaps {around}");
            }
            open.push((*until, event));
        }
    }
}

/// Each flow begins once, ends once, and not before it began.
fn check_flows(trace: &Value) {
    let ends = of_phase(trace, "f");
    let starts = of_phase(trace, "s");
    assert_eq!(starts.len(), ends.len());
    for start in starts {
        let its: Vec<_> = ends.iter().filter(|end| end["id"] == start["id"]).collect();
        assert_eq!(its.len(), 1, "{start}");
        assert!(its[0]["ts"].as_f64() >= start["ts"].as_f64(), "{start} {}", its[0]);
    }
}
