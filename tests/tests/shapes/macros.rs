//! Macros in a body: their arguments are carried, and `?`, `return`, `break` in them are the function's.

use std::io;
use std::pin::pin;

use ctxprop::{Ctx, propagate};
use futures::{FutureExt, StreamExt};

use super::{AppResult, add_one, ctx, marked, unit};

#[propagate]
async fn in_macros() -> AppResult<String> {
    let items = vec![add_one(1).await?, add_one(2).await?];
    let repeated = vec![add_one(1).await?; 2];
    assert_eq!(add_one(0).await?, 1, "in {}", marked().await);
    assert!(matches!(items.first(), Some(2)));
    assert!(matches!(add_one(1).await, Ok(n) if n == add_one(1).await?), "{}", marked().await);
    debug_assert_ne!(add_one(1).await?, 1);
    println!("{} {name}", marked().await, name = marked().await);
    let mut text = String::new();
    std::fmt::Write::write_fmt(&mut text, format_args!("{}", items.len())).ok();
    Ok(format!("{items:?} {repeated:?} {} {0} {text}", add_one(9).await?))
}

#[propagate]
#[allow(clippy::useless_vec)]
async fn exits(how: u32) -> AppResult<u32> {
    let mut rounds = 0;
    let left = 'rounds: loop {
        rounds += 1;
        let values = vec![
            match how {
                0 => return Ok(100),
                1 => break 'rounds rounds,
                2 if rounds < 3 => continue,
                3 => Err(io::Error::other("as an error"))?,
                _ => add_one(how).await?,
            },
            add_one(0).await?,
        ];
        println!("{}", if rounds == 9 { break 0 } else { marked().await });
        let (one, two) = tokio::join!(add_one(if how == 4 { return Ok(4) } else { 1 }), add_one(1));
        break values.iter().sum::<u32>() + one? + two?;
    };
    Ok(left)
}

#[propagate]
async fn json() -> AppResult<serde_json::Value> {
    let key = "computed";
    Ok(serde_json::json!({
        "one": add_one(0).await?,
        "list": [add_one(1).await?, null, { "nested": marked().await }, []],
        "none": null,
        (key): 1 + add_one(1).await?,
        "plain": { "a": "b" },
    }))
}

#[propagate]
async fn events(early: bool) -> AppResult<u32> {
    let plain = 1;
    tracing::info!(one = add_one(0).await?, two.dots = %marked().await, ?plain, %plain, plain, "said {}", plain);
    tracing::warn!(target: "somewhere", { debug = ?add_one(1).await?, "a name" = plain }, "message");
    tracing::event!(tracing::Level::DEBUG, "{}", marked().await);
    tracing::trace!("{}", if early { return Ok(1) } else { add_one(1).await? });
    let _span = tracing::info_span!("span", value = add_one(1).await?);
    Ok(2)
}

#[propagate]
async fn pins() -> u32 {
    let on_the_stack = pin!(async { marked().await.len() });
    tokio::pin! {
        let first = async { add_one(0).await };
        let second = add_one(1).with(&Ctx::current());
    }
    let third = async { 3 };
    tokio::pin!(third);
    let first = (&mut first).await.unwrap_or(0);
    first + second.await.unwrap_or(0) + third.await + on_the_stack.await as u32
}

#[propagate]
async fn joins() -> AppResult<(u32, u32)> {
    let (one, two) = tokio::join!(add_one(1), async { add_one(2).await });
    let (three, four) = tokio::try_join!(add_one(3), add_one(4))?;
    let (five, six) = futures::join!(add_one(5), std::future::ready(7));
    let (seven, _) = futures::try_join!(add_one(7), async { Ok::<_, io::Error>(marked().await) })?;
    tokio::join!(biased; unit(), unit());
    let nested = async {
        let (eight, nine) = tokio::join!(add_one(8), add_one(9));
        AppResult::<_>::Ok((eight?, nine?))
    };
    assert_eq!(nested.await?, (9, 10));
    Ok((one? + two? + three + four, five? + six + seven))
}

#[propagate]
async fn selects(take: u32) -> AppResult<u32> {
    let (send, mut receive) = tokio::sync::mpsc::channel(4);
    for n in 0..take {
        send.send(n).await.map_err(io::Error::other)?;
    }
    drop(send);
    let mut sum = 0;
    let mut slow = pin!(std::future::pending::<u32>());
    loop {
        tokio::select! {
            biased;
            Some(n) = receive.recv() => sum += add_one(n).await?,
            n = &mut slow, if sum > 100 => return Ok(n),
            else => break,
        }
    }
    let first = tokio::select! {
        n = add_one(sum) => n?,
        _ = std::future::pending::<()>() => { return Ok(0) }
    };
    let matched = tokio::select! {
        (Ok(one), _) | (_, one) = async { (Err(1), add_one(1).await.unwrap_or(0)) } => one,
        true = async { marked().await.is_empty() } => { 0 }
        else => 9,
    };
    Ok(first + matched)
}

fn never() -> ! {
    panic!("it is never called")
}

/// Handlers that diverge by their type or by their arms cost no warning.
#[deny(warnings)]
#[propagate]
async fn selects_what_diverges(take: u32) -> AppResult<u32> {
    let mut sum = 0;
    loop {
        let n = tokio::select! {
            biased;
            n = add_one(sum), if sum < take => n?,
            n = add_one(take) => {
                sum = n?;
                match sum > take {
                    false => continue,
                    true => {
                        sum += 1;
                        break;
                    }
                }
            }
            _ = std::future::pending::<()>() => never(),
            _ = std::future::pending::<()>() => {
                match sum { 0 => never(), _ => never() }
            }
            _ = std::future::pending::<()>() => if sum == 0 { break } else { never() },
        };
        sum += n;
    }
    Ok(sum)
}

#[tokio::test]
async fn what_diverges_in_a_select() {
    assert_eq!(selects_what_diverges(3).with(&ctx()).await.unwrap(), 5);
}

#[propagate]
async fn selects_without_unwinding() -> u32 {
    let block = async {
        tokio::select! {
            n = add_one(0) => n.unwrap_or(0) + add_one(0).await.unwrap_or(0),
            () = std::future::pending() => 0,
        }
    };
    tokio::select! {
        n = add_one(1) => n.unwrap_or(0) + block.await,
        () = std::future::pending() => 0,
    }
}

/// The `select!` of futures, as a path and imported.
#[propagate]
async fn futures_selects() -> AppResult<u32> {
    use futures::select;

    let mut fused = pin!(add_one(1).with(&Ctx::current()).fuse());
    let mut stream = futures::stream::iter([1, 2]).fuse();
    let mut sum = 0;
    loop {
        futures::select! {
            n = fused => sum += n? + add_one(0).await?,
            n = stream.next() => { sum += n.unwrap_or(0) }
            complete => break,
        }
    }
    let mut stream = futures::stream::iter([1, 2]).fuse();
    sum += select! {
        n = stream.next() => n.unwrap_or(0) + add_one(0).await?,
        default => 0,
    };
    // no word tells this one from that of tokio
    let mut never = std::future::pending::<u32>().fuse();
    sum += select! {
        n = stream.select_next_some() => n + add_one(0).await?,
        n = never => n,
    };
    Ok(sum)
}

#[tokio::test]
async fn macros() {
    assert_eq!(in_macros().with(&ctx()).await.unwrap(), "[2, 3] [2, 2] 10 10 2");
    assert_eq!(joins().with(&ctx()).await.unwrap(), (2 + 3 + 4 + 5, 6 + 7 + 8));
    assert_eq!(selects(3).with(&ctx()).await.unwrap(), 7 + 2);
    assert_eq!(selects_without_unwinding().with(&ctx()).await, 4);
    assert_eq!(futures_selects().with(&ctx()).await.unwrap(), 8 + 3);
    assert_eq!(events(false).with(&ctx()).await.unwrap(), 2);
    assert_eq!(pins().with(&ctx()).await, 1 + 2 + 3 + 8);
    assert_eq!(
        json().with(&ctx()).await.unwrap().to_string(),
        r#"{"computed":3,"list":[2,null,{"nested":"conveyed"},[]],"none":null,"one":1,"plain":{"a":"b"}}"#
    );
}

#[tokio::test]
async fn exits_in_arguments_are_those_of_the_function() {
    let exits = async |how| exits(how).with(&ctx()).await;
    assert_eq!(exits(0).await.unwrap(), 100);
    assert_eq!(exits(1).await.unwrap(), 1);
    assert_eq!(exits(2).await.unwrap(), 3 + 1 + 4);
    assert_eq!(exits(3).await.unwrap_err().to_string(), "as an error");
    assert_eq!(exits(4).await.unwrap(), 4);
    assert_eq!(exits(5).await.unwrap(), 6 + 1 + 4);
}
