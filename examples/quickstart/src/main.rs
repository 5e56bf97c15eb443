//! `cargo run -p quickstart`: a shop asks its warehouse, with one attribute, one layer and one client.
//!
//! It serves both on loopback, asks once with enough time and once with too little, prints the answers and ends.

use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ctxprop::{Background, Cancelled, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use ctxprop_reqwest::{Client, StatusCode};
use tokio::net::TcpListener;

/// Why the shop has no answer. `From<Cancelled>` is what lets its functions unwind when the caller is gone.
enum ShopError {
    Cancelled(Cancelled),
    Warehouse,
}

impl From<Cancelled> for ShopError {
    fn from(cancelled: Cancelled) -> Self {
        ShopError::Cancelled(cancelled)
    }
}

impl From<ctxprop_reqwest::Error> for ShopError {
    fn from(error: ctxprop_reqwest::Error) -> Self {
        match error.cancelled() {
            Some(cancelled) => ShopError::Cancelled(cancelled.clone()),
            None => ShopError::Warehouse,
        }
    }
}

impl IntoResponse for ShopError {
    fn into_response(self) -> Response {
        match self {
            ShopError::Cancelled(cancelled) => cancelled.into_response(),
            ShopError::Warehouse => StatusCode::BAD_GATEWAY.into_response(),
        }
    }
}

// An entry point names its context: axum hands it over.
#[propagate]
async fn article(
    ctx: Ctx,
    State(warehouse): State<Client>,
    Path(id): Path<u32>,
) -> Result<String, ShopError> {
    let stock = stock(&warehouse, id).await?;
    Ok(format!("article {id}: {stock} in stock, {:?} left", ctx.remaining().unwrap_or_default()))
}

// A function in the middle leaves it out. The client finds it: budget, trace and baggage go out with the request.
#[propagate(budget = "90%")]
async fn stock(warehouse: &Client, id: u32) -> Result<u32, ShopError> {
    let count = warehouse.get(format!("/stock/{id}")).send().await?.text().await?;
    count.parse().map_err(|_| ShopError::Warehouse)
}

#[propagate]
async fn count(Path(id): Path<u32>, ctx: Ctx) -> Result<String, Cancelled> {
    println!("  the warehouse has {:?} to count", ctx.remaining().unwrap_or_default());
    tokio::time::sleep(Duration::from_millis(50)).await;
    Ok((id * 3).to_string())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let warehouse = Router::new().route("/stock/{id}", get(count)).layer(CtxLayer::mesh());
    let warehouse = serve(warehouse).await?;

    let client = Client::builder().base_url(warehouse.as_str()).build()?;
    let shop = Router::new()
        .route("/articles/{id}", get(article))
        .with_state(client)
        .layer(CtxLayer::edge().default_budget(Duration::from_secs(10)));
    let shop = Client::builder().base_url(serve(shop).await?.as_str()).build()?;

    for budget in [Duration::from_secs(2), Duration::from_millis(20)] {
        println!("asking with a budget of {budget:?}");
        let ctx = Ctx::background().with_timeout(budget);
        match shop.get("/articles/14").send().with(&ctx).await {
            Ok(answer) => println!("  {}: {}", answer.status(), answer.text().await?),
            Err(error) => println!("  {error}"),
        }
    }
    Ok(())
}

async fn serve(app: Router) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    drop(tokio::spawn(async move { axum::serve(listener, app).await }));
    Ok(url)
}

#[cfg(test)]
mod tests {
    use ctxprop::testing::given;
    use ctxprop_reqwest::Method;
    use ctxprop_reqwest::testing::{Answer, Script};

    use super::*;

    /// A warehouse that takes 50 ms to say that it has three.
    fn warehouse() -> Script {
        let script = Script::new();
        script.on(Method::GET, "/stock/1", Answer::ok("3").after(Duration::from_millis(50)));
        script
    }

    #[ctxprop::test]
    async fn the_warehouse_is_given_nine_tenths_of_what_is_left(ctx: Ctx) {
        let script = warehouse();
        let ctx = ctx.with_timeout(Duration::from_secs(1));
        let told = article(ctx, State(script.client()), Path(1)).await;
        assert!(told.is_ok_and(|text| text == "article 1: 3 in stock, 950ms left"));
        assert_eq!(script.asked()[0].budget(), Some(Duration::from_millis(900)));
    }

    #[test]
    fn it_may_end_at_every_await() {
        given(warehouse)
            .ends_everywhere(|ctx, script| article(ctx, State(script.client()), Path(1)))
            .check(|world| {
                let Some(output) = world.output() else { panic!("it unwinds by itself") };
                match (output, world.cause()) {
                    (Ok(text), _) => assert!(text.starts_with("article 1: 3 in stock")),
                    (Err(ShopError::Cancelled(why)), Some(cause)) => assert_eq!(why.cause(), cause),
                    (Err(_), _) => panic!("the end was told as something else"),
                }
            });
    }
}
