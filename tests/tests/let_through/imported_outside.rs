//! Functions and types that were imported outside of the body are asked by type, and keep all that they are.

use std::fmt::Debug;
use std::time::Duration;

use super::my::{Client, spawn, spawn as go, thread::sleep, thread::sleep as pause};
use super::{Future, propagate};

async fn work(n: u8) -> u8 {
    n
}

fn lazy(make: impl FnOnce() -> Box<dyn Debug>) -> String {
    format!("{:?}", make())
}

fn typed<F: Future<Output = Result<u8, String>>>(future: F) -> F {
    future
}

fn id<T>(value: T) -> T {
    value
}

fn text(value: impl Into<String>) -> String {
    value.into()
}

fn push(list: &mut Vec<u8>) -> usize {
    list.push(1);
    list.len()
}

fn borrowed(of: &str) -> &str {
    of
}

const fn twice(n: usize) -> usize {
    n * 2
}

fn log(_: String) {}

fn gone(code: u8) -> ! {
    panic!("{code}")
}

#[track_caller]
fn line<T>(_: T) -> u32 {
    std::panic::Location::caller().line()
}

pub(super) struct Hidden<F>(F);

#[propagate]
pub(super) async fn functions() {
    assert_eq!(spawn(async { "mine" }).await, "mine");
    assert_eq!(go(work(1)).await, 1);
    let later = work(2);
    assert_eq!(spawn(later).await, 2);
    let gap = Duration::ZERO;
    sleep(gap);
    assert_eq!(pause(Duration::from_millis(1)), "mine");
    assert_eq!(lazy(|| Box::new(1)), "1");
    assert_eq!(
        typed(async { Ok("1".parse().map_err(id::<std::num::ParseIntError>).unwrap_or(0)) }).await,
        Ok(1)
    );
    let n: u16 = id(id(2));
    assert_eq!(text(n.to_string()), "2");
    assert_eq!((line(id(1)), line(|| 1), line(async { 1 })), (line!(), line!(), line!()));
    let here = line(id(1)); // with the whole call on this line
    assert_eq!(here + 1, line!());
    log(n.to_string());
    log(text("text"));
    assert_eq!(borrowed(id("lent")), "lent");
    if n == 0 {
        gone(id(1));
    }
}

#[propagate]
pub(super) async fn locals(
    spawn: impl Fn(u8) -> u8,
    Hidden(sleep): Hidden<impl FnOnce(String) -> usize>,
) {
    assert_eq!(spawn(id(1)) + spawn(id(2)), 3);
    assert_eq!(sleep("text".to_owned()), 4);
    let owned = String::from("owned");
    let go = |n: u8| owned.len() + usize::from(n);
    assert_eq!(go(id(1)) + go(id(2)), 13);
    for pause in [work, work] {
        assert_eq!(pause(id(3)).await, 3);
    }
    let mut list = Vec::new();
    let more = &mut list;
    push(more);
    assert_eq!(push(more), 2);
}

pub(super) fn params() -> (impl Fn(u8) -> u8, Hidden<impl FnOnce(String) -> usize>) {
    let kept = Box::new(0);
    let text = String::new();
    (move |n| n + *kept, Hidden(move |more: String| (text + &more).len()))
}

#[propagate]
pub(super) async fn constants<const N: usize>() -> usize {
    let lists = [const { Vec::<u8>::new() }; 2];
    let zeros = [0; twice(twice(1))];
    let typed: [u8; twice(twice(1))] = [1; 4];
    lists.len() + zeros.len() + typed.len() + const { twice(twice(N)) }
}

pub(super) trait Make {
    fn new() -> Self;
    fn builder() -> &'static str;
}

impl Make for u8 {
    fn new() -> Self {
        7
    }
    fn builder() -> &'static str {
        "u8"
    }
}

#[propagate]
pub(super) async fn types<T: Make + Default + PartialEq + Debug>(seven: T) {
    assert_eq!(Client::new(), Client::default());
    assert_eq!(T::new(), seven);
    assert_eq!(T::builder(), "u8");
    assert_ne!(T::default(), seven);
    let lent = &Client::builder();
    assert_eq!(*lent, super::my::Client::new());
    // Which type it is, only what is expected tells.
    let expected: u8 = Make::new();
    assert_eq!(expected, super::my::same(Make::new(), 7));
    let empty: Option<Vec<u8>> = Option::default();
    assert!(empty.is_none());
}
