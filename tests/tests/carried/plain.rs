//! What compiles as a plain `async fn` compiles: values whose type is told by what comes later, functions that give no value,
//! borrows, coercions, closures that leave the function.

use std::collections::HashMap;
use std::fmt::Display;
use std::time::Duration;

use ctxprop::{Cancelled, propagate};
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use tokio::time::timeout;

use super::{ctx, plain};

struct Row(HashMap<&'static str, u32>);

impl Row {
    fn get<T: From<u32>>(&self, key: &str) -> T {
        T::from(self.0[key])
    }
}

fn anything<T: Default>() -> T {
    T::default()
}

fn converted<T: From<u8>>(n: u8) -> T {
    T::from(n)
}

fn longest<'a>(a: &'a str, b: &'a str) -> &'a str {
    if a.len() > b.len() { a } else { b }
}

fn boxed(n: u32) -> Box<dyn Display + Send> {
    Box::new(n)
}

fn fails(message: &str) -> ! {
    panic!("{message}")
}

const fn double(n: u32) -> u32 {
    n * 2
}

async fn takes(n: u64, name: &str, shown: &dyn Display) -> String {
    format!("{n} {name} {shown}")
}

async fn makes_static<F: Future<Output = u32>>(f: fn(u32) -> F) -> u32 {
    f(1).await
}

fn lookup(n: u32) -> Option<u32> {
    Some(n)
}

#[propagate]
async fn values(row: Row, limit: Duration) -> Result<String, Cancelled> {
    let rows = [row];
    let ids: Vec<u64> = rows.iter().map(|row| row.get("id")).collect();
    let first: Option<u64> = rows.iter().map(|row| row.get("id")).next();
    let name = String::from("name");
    // an argument that is told by the function, one that is a place in a temporary, one that is converted
    let text = takes(rows[0].get("id"), longest(&name, &String::from("n")), &1).await;
    let text = text + &takes(2_u32.into(), name.as_str(), &*boxed(1)).await;
    let n: u32 = rows.iter().filter_map(|_| lookup(1)).sum();
    assert_eq!(plain(anything()).await, 0);
    assert_eq!(plain(u32::default()).await, 0);
    assert_eq!(plain("7".parse().unwrap_or_else(|_| fails("no number"))).await, 7);
    assert_eq!(plain(lookup(3).unwrap_or_else(|| fails("none"))).await, 3);
    let found = timeout(limit, plain(const { double(2) })).await;
    assert_eq!(found.ok(), Some(4));
    assert_eq!(timeout(limit, plain(converted(3))).await.ok(), Some(3));
    let flag = ids.len() == 1;
    let then = flag.then(|| anything()).unwrap_or(1_u8);
    assert_eq!((first, n, then), (Some(7), 1, 0));
    Ok(text)
}

/// They may outlive the function, and borrow nothing of it.
#[propagate]
async fn leaves_the_function() -> impl futures::Stream<Item = u32> + 'static {
    stream::iter([1, 2]).then(|n| plain(n))
}

#[propagate]
async fn boxed_and_bound() -> BoxStream<'static, u32> {
    let stream = stream::iter([1, 2]).then(|n| plain(n));
    Box::pin(stream)
}

#[propagate]
async fn function_pointers() -> u32 {
    let f: fn(u32) -> u32 = |n| double(n);
    let g: Box<dyn Fn(u32) -> u32> = Box::new(|n| double(n));
    let sum = f(1) + g(1);
    drop(g);
    sum + makes_static(|n| plain(n)).await
}

#[propagate]
async fn results(n: u32) -> Option<u32> {
    let n = lookup(n).and_then(|n| lookup(n)).map(|n| double(n)).or_else(|| lookup(0))?;
    let all: Vec<_> = stream::iter([n]).filter_map(|n| async move { lookup(n) }).collect().await;
    all.into_iter().next()
}

#[tokio::test]
async fn as_they_stand() {
    let ctx = ctx();
    let row = || Row(HashMap::from([("id", 7)]));
    assert_eq!(
        values(row(), Duration::from_secs(60)).with(&ctx).await.unwrap(),
        "7 name 12 name 1"
    );
    let stream = leaves_the_function().with(&ctx).await;
    assert_eq!(stream.collect::<Vec<_>>().await, [1, 2]);
    let stream = boxed_and_bound().with(&ctx).await;
    assert_eq!(stream.collect::<Vec<_>>().await, [1, 2]);
    assert_eq!(results(1).with(&ctx).await, Some(2));
    let pointers = function_pointers().with(&ctx);
    assert_eq!(pointers.await, 5);
}
