//! What the compiler knows of a `#[derive(Baggage)]` struct: its keys, and how long it gets on the wire.
//!
//! The checks are called in constants. They panic, which is how a constant does not compile, with the message that is
//! shown at the call.

use crate::baggage::{Baggage, MAX_BAGGAGE_BYTES, MAX_BAGGAGE_MEMBERS, encoded_len};

/// The keys of a struct: those of its own fields, and those of the structs flattened into it.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    pub own: &'static [&'static str],
    pub flattened: &'static [Keys],
}

impl Keys {
    /// Of what was not derived.
    pub const UNKNOWN: Keys = Keys { own: &[], flattened: &[] };

    const fn len(&self) -> usize {
        let (mut len, mut index) = (self.own.len(), 0);
        while index < self.flattened.len() {
            len += self.flattened[index].len();
            index += 1;
        }
        len
    }

    const fn contains(&self, key: &str) -> bool {
        let mut index = 0;
        while index < self.own.len() {
            if eq(self.own[index], key) {
                return true;
            }
            index += 1;
        }
        index = 0;
        while index < self.flattened.len() {
            if self.flattened[index].contains(key) {
                return true;
            }
            index += 1;
        }
        false
    }

    /// The first of these keys that is one of `others` too.
    const fn shared(&self, others: &Keys) -> Option<&'static str> {
        let mut index = 0;
        while index < self.own.len() {
            if others.contains(self.own[index]) {
                return Some(self.own[index]);
            }
            index += 1;
        }
        index = 0;
        while index < self.flattened.len() {
            if let Some(key) = self.flattened[index].shared(others) {
                return Some(key);
            }
            index += 1;
        }
        None
    }
}

const fn eq(one: &str, two: &str) -> bool {
    let (one, two) = (one.as_bytes(), two.as_bytes());
    let mut index = 0;
    while index < one.len() && index < two.len() && one[index] == two[index] {
        index += 1;
    }
    index == one.len() && index == two.len()
}

/// The most bytes of all these members, a comma between each two. `None` if one has no limit.
pub const fn total(lens: &[Option<usize>]) -> Option<usize> {
    let (mut sum, mut index) = (0, 0);
    while index < lens.len() {
        match lens[index] {
            // A struct without members.
            Some(0) => {}
            Some(len) if sum == 0 => sum = len,
            Some(len) => sum += 1 + len,
            None => return None,
        }
        index += 1;
    }
    Some(sum)
}

/// The most bytes of one of these values on the wire.
pub const fn longest(values: &[&str]) -> Option<usize> {
    let (mut longest, mut index) = (0, 0);
    while index < values.len() {
        let len = encoded_len(values[index]);
        if len > longest {
            longest = len;
        }
        index += 1;
    }
    Some(longest)
}

/// The keys of a flattened struct are those of no other field.
#[track_caller]
pub const fn unique(flattened: Keys, others: Keys) {
    if let Some(key) = flattened.shared(&others) {
        let message = Message::new()
            .text("the key `")
            .text(key)
            .text("` of this flattened struct is already that of another field\n  ")
            .text("give one of them another with `#[baggage(key = \"..\")]`, or the flattened struct a `prefix`");
        panic!("{}", message.as_str());
    }
}

/// All of `B` fits into `max` bytes and into what a request carries.
#[track_caller]
pub const fn fits<B: Baggage>(name: &str, max: usize) {
    let members = B::KEYS.len();
    if members > MAX_BAGGAGE_MEMBERS {
        let message = Message::new()
            .text("`")
            .text(name)
            .text("` has ")
            .number(members)
            .text(" keys, and a request carries at most ")
            .number(MAX_BAGGAGE_MEMBERS)
            .text("\n  leave fields out with `#[baggage(skip)]`, or make one value of several");
        panic!("{}", message.as_str());
    }
    let Some(len) = B::MAX_ENCODED_LEN else { return };
    if len > max {
        let message = Message::new().text("`").text(name).text("` may be ").number(len).text(
            " bytes of baggage: each key, and three bytes on the wire for each of a `max_len`\n  ",
        );
        let message = if max == MAX_BAGGAGE_BYTES {
            message
                .text("a request carries at most ")
                .number(max)
                .text(": lower the `max_len` of a field")
        } else {
            message
                .text("`max_bytes` allows ")
                .number(max)
                .text(": raise it, or lower the `max_len` of a field")
        };
        panic!("{}", message.as_str());
    }
}

/// Under `max_bytes` each field has a limit.
#[track_caller]
pub const fn bounded(max_encoded_len: Option<usize>) {
    if max_encoded_len.is_none() {
        panic!(
            "`max_bytes` needs to know how long this can get: give it a `max_len`, or each field of it where it is \
             flattened"
        );
    }
}

/// A message with names and numbers, made by the compiler.
#[derive(Debug)]
struct Message {
    bytes: [u8; Message::MAX],
    len: usize,
}

impl Message {
    const MAX: usize = 512;

    const fn new() -> Message {
        Message { bytes: [0; Message::MAX], len: 0 }
    }

    /// Adds `text`, or as much of it as there is room for.
    const fn text(mut self, text: &str) -> Message {
        let (text, mut index) = (text.as_bytes(), 0);
        while index < text.len() && self.len < Message::MAX {
            self.bytes[self.len] = text[index];
            self.len += 1;
            index += 1;
        }
        self
    }

    const fn number(self, number: usize) -> Message {
        let message = if number >= 10 { self.number(number / 10) } else { self };
        let digit = [b'0' + (number % 10) as u8];
        match std::str::from_utf8(&digit) {
            Ok(digit) => message.text(digit),
            Err(_) => message,
        }
    }

    const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            // A name that was cut in the middle of a letter.
            Err(_) => "this baggage does not fit, or has a key twice",
        }
    }
}
