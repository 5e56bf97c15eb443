//! What a body may do besides awaiting.

use std::io;

use ctxprop::{Cancelled, propagate};

use super::{AppResult, add_one, ctx, marked};

#[propagate]
async fn flow(text: &str) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
    let Some(rest) = text.strip_prefix("n=") else {
        return Err(format!("no number, {}", marked().await).into());
    };
    let number: u32 = rest.parse()?;
    let found = 'outer: loop {
        for step in 0..10 {
            match add_one(step).await? {
                n if n == number && marked().await == "conveyed" => break 'outer n,
                n if n > 9 => break 'outer 0,
                _ => continue,
            }
        }
    };
    if let Ok(one) = add_one(0).await {
        assert_eq!(one, 1);
    }
    let both = (add_one(1).await?, add_one(2).await?);
    Ok(found + both.0.min(both.1) - 2)
}

#[tokio::test]
async fn control_flow() {
    assert_eq!(flow("n=7").with(&ctx()).await.unwrap(), 7);
    assert_eq!(flow("n=70").with(&ctx()).await.unwrap(), 0);
    assert!(flow("n=x").with(&ctx()).await.unwrap_err().is::<std::num::ParseIntError>());
    assert_eq!(flow("").with(&ctx()).await.unwrap_err().to_string(), "no number, conveyed");
}

#[propagate]
async fn exits_early(n: u32) -> AppResult<&'static str> {
    if n == 0 {
        return Ok("early");
    }
    let value = 'block: {
        if add_one(n).await? > 5 {
            break 'block "large";
        }
        marked().await
    };
    let text = match n {
        1 => return Err(io::Error::other("one")),
        2 if marked().await == "lost" => unreachable!(),
        2 => "two",
        n @ 3..=4 if add_one(n).await? == 4 => "three",
        _ => value,
    };
    let mut rounds = 0;
    while add_one(rounds).await? < 3 {
        rounds += 1;
    }
    for _ in 0..add_one(rounds).await? {
        rounds += 1;
    }
    if rounds == 5 { Ok(text) } else { Ok("wrong") }
}

/// Results of results, options, and an operator on what was awaited.
#[propagate]
async fn operators() -> Result<bool, Cancelled> {
    let double = async { Ok::<_, Cancelled>(Some(add_one(1).await)) };
    let Some(Ok(n)) = double.await? else { return Ok(false) };
    let negated = !(marked().await).is_empty();
    #[allow(clippy::deref_addrof, reason = "a shape of expression")]
    let sum = -(add_one(1).await.unwrap_or(0) as i32) + *&add_one(1).await.unwrap_or(0) as i32;
    let indexed = [1, 2, 3][add_one(0).await.unwrap_or(0) as usize];
    let range = add_one(0).await.unwrap_or(0)..=add_one(2).await.unwrap_or(0);
    let made = Made { n, ..Made::default().filled().await };
    Ok(negated && sum == 0 && indexed == 2 && range == (1..=3) && made.is_made)
}

#[derive(Default)]
struct Made {
    #[allow(dead_code)]
    n: u32,
    is_made: bool,
}

impl Made {
    #[propagate]
    async fn filled(mut self) -> Made {
        marked().await;
        self.is_made = true;
        self
    }
}

#[tokio::test]
async fn more_control_flow() {
    assert_eq!(exits_early(0).with(&ctx()).await.unwrap(), "early");
    assert!(exits_early(1).with(&ctx()).await.is_err());
    assert_eq!(exits_early(2).with(&ctx()).await.unwrap(), "two");
    assert_eq!(exits_early(3).with(&ctx()).await.unwrap(), "three");
    assert_eq!(exits_early(4).with(&ctx()).await.unwrap(), "conveyed");
    assert_eq!(exits_early(5).with(&ctx()).await.unwrap(), "large");
    assert!(operators().with(&ctx()).await.unwrap());
}
