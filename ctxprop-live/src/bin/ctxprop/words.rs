//! How things are said: durations, places, names. As the page says them.

use std::borrow::Cow;

use ctxprop_live::model::{Budget, End, Place};

pub(crate) fn duration(ms: u64) -> String {
    let s = ms / 1_000;
    match s {
        0 => format!("{ms} ms"),
        1..10 => format!("{}.{} s", s, ms % 1_000 / 100),
        10..60 => format!("{s} s"),
        60..3_600 => format!("{}:{:02} min", s / 60, s % 60),
        3_600..86_400 => format!("{}:{:02} h", s / 3_600, s % 3_600 / 60),
        _ => format!("{} d {} h", s / 86_400, s % 86_400 / 3_600),
    }
}

/// The last folders of a path are what tells it.
pub(crate) fn place(place: &Place) -> String {
    let parts: Vec<_> = place.file.rsplit('/').take(3).collect();
    let path: Vec<_> = parts.into_iter().rev().collect();
    format!("{}:{}", path.join("/"), place.line)
}

/// `shop::stock::reserve` is `stock::reserve`; what is in angle brackets stays whole.
pub(crate) fn short(path: &str) -> String {
    let generic = path.find('<').unwrap_or(path.len());
    let (head, rest) = path.split_at(generic);
    let from = head.rmatch_indices("::").nth(1).map_or(0, |(at, _)| at + 2);
    format!("{}{rest}", &head[from..])
}

pub(crate) fn cause(end: &End) -> String {
    match end.cause.as_str() {
        "deadline_exceeded" => "its deadline passed".to_owned(),
        "disconnected" => "the client went away".to_owned(),
        "finished" => "its request is over".to_owned(),
        "shutdown" => "the server shuts down".to_owned(),
        other => other.replace('_', " "),
    }
}

pub(crate) fn left(budget: &Budget, now: u64) -> String {
    let granted = duration(budget.granted_ms);
    match budget.deadline.checked_sub(now) {
        Some(left) if left > 0 => format!("{} left of {granted}", duration(left)),
        _ => format!("over since {}, of {granted}", duration(now - budget.deadline)),
    }
}

/// What a process says, without what would steer the terminal: control characters, and those that turn the direction of text.
/// Whatever listens at a URL may be no friend.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    match text.contains(steers) {
        true => Cow::Owned(text.replace(steers, "\u{fffd}")),
        false => Cow::Borrowed(text),
    }
}

/// Plain, and cut to what fits, with two dots in the place of the rest.
pub(crate) fn fit(text: &str, width: usize) -> String {
    let text = plain(text);
    if text.chars().count() <= width {
        return text.into_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(2)).collect();
    format!("{kept}..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        for (ms, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_050, "1.0 s"),
            (9_990, "9.9 s"),
            (59_999, "59 s"),
            (61_000, "1:01 min"),
            (3_661_000, "1:01 h"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn paths_keep_their_end() {
        assert_eq!(short("shop::stock::reserve"), "stock::reserve");
        assert_eq!(short("reserve"), "reserve");
        assert_eq!(short("core::future::pending::Pending<()>"), "pending::Pending<()>");
        assert_eq!(fit("abcdef", 4), "ab..");
        assert_eq!(fit("abcd", 4), "abcd");
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(plain("\u{1b}]0;owned\u{7}"), "\u{fffd}]0;owned\u{fffd}");
        assert_eq!(fit("a\nb\u{202e}c\u{9b}", 9), "a\u{fffd}b\u{fffd}c\u{fffd}");
        assert_eq!(plain("GET /größe/{id}"), "GET /größe/{id}");
    }
}
