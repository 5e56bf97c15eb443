use ctxprop::{Background, Cancelled, Ctx, propagate};
use std::time::Duration;

type AppResult<T, E = std::io::Error> = Result<T, E>;

#[propagate]
async fn leafy(n: u32) -> AppResult<u32> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    Ok(n + 1)
}

#[propagate]
async fn unit(s: &str) -> usize {
    leafy(1).await.unwrap();
    s.len()
}

#[propagate(budget = "40%")]
async fn outer(ctx: Ctx, (a, mut b): (u32, u32), x: &str) -> AppResult<u32> {
    b += 1;
    let l = unit(x).await;
    let (p, q) = tokio::join!(leafy(a), leafy(b));
    let block = async { leafy(7).await };
    let closure = |n| async move { leafy(n).await };
    let m = move |n| async move { leafy(n).await };
    let v = futures::future::join_all([1, 2, 3].into_iter().map(|n| async move { leafy(n).await }))
        .await;
    let ac = async |n: u32| leafy(n).await;
    println!("{} {:?}", leafy(4).await?, v);
    let r = tokio::select! {
        Ok(x) = leafy(3) => x,
        _ = std::future::pending::<()>() => return Ok(1),
        else => 9,
    };
    let _ = ctx.remaining();
    Ok(p? + q? + l as u32 + block.await? + closure(1).await? + m(3).await? + ac(3).await? + r)
}

struct S;
impl S {
    #[propagate]
    async fn method<'a>(&self, x: &'a str, _: u8) -> Result<&'a str, Cancelled> {
        leafy(1).await.unwrap();
        Ok(x)
    }
    #[propagate]
    async fn pend(self) -> Result<(), Cancelled> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn works() {
    let ctx = Ctx::background().with_timeout(Duration::from_secs(5));
    println!("{:?}", ctx);
    assert_eq!(
        outer(ctx.clone(), (1, 2), "abc").await.unwrap(),
        2 + 4 + 3 + 8 + 2 + 4 + 4 + 4
    );
    assert_eq!(S.method("x", 1).with(&ctx).await.unwrap(), "x");
    let short = ctx.with_timeout(Duration::from_millis(20));
    let t = short.spawn(S.pend());
    assert!(t.await.unwrap().unwrap_err().is_deadline());
}
