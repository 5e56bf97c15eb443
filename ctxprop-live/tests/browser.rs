//! The page in a real browser: 10,000 live requests shown, filtered, one opened, and one that ends while it is open.
//!
//! Skipped, with a line that says so, where there is no browser.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/service.rs"]
mod service;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use browser::Browser;
use ctxprop::{Baggage, Cancelled, Ctx, propagate};
use ctxprop_axum::{CtxLayer, handler};
use ctxprop_live::View;
use http::Request;
use service::Service;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower::ServiceExt;

const SECOND: Duration = Duration::from_secs(1);
const MANY: usize = 10_000;

/// What is counted is all that is live in this process: one test at a time.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// What keeps the stock away.
static STOCK: Semaphore = Semaphore::const_new(0);

#[derive(Baggage, Debug)]
struct Caller {
    tenant: String,
    #[baggage(private)]
    user: String,
}

#[propagate]
async fn reserve(_id: u64) -> Result<(), Cancelled> {
    stock_lock().await?;
    Ok(())
}

#[propagate]
async fn stock_lock() -> Result<(), Cancelled> {
    drop(STOCK.acquire().await);
    Ok(())
}

#[propagate]
async fn quote() -> Result<u64, Cancelled> {
    tokio::time::sleep(3_600 * SECOND).await;
    Ok(1)
}

#[propagate]
async fn checkout(ctx: Ctx) -> Result<&'static str, Cancelled> {
    let audit = ctx.detach("the audit log is written whatever happens").with_timeout(600 * SECOND);
    drop(audit.spawn(write_audit()));
    let (stock, price) = tokio::join!(reserve(7), quote());
    stock?;
    price?;
    Ok("done")
}

#[propagate]
async fn write_audit() -> Result<(), Cancelled> {
    tokio::time::sleep(500 * SECOND).await;
    Ok(())
}

#[propagate]
async fn search() -> Result<&'static str, Cancelled> {
    quote().await?;
    Ok("done")
}

#[propagate]
async fn items() -> Result<&'static str, Cancelled> {
    reserve(1).await?;
    Ok("done")
}

#[propagate]
async fn release() -> Result<(), Cancelled> {
    std::future::pending::<()>().await;
    Ok(())
}

/// Its budget ends, and its cleanup hangs.
#[propagate]
async fn refund(ctx: Ctx) -> Result<&'static str, Cancelled> {
    if quote().await.is_err() {
        ctx.shield(90 * SECOND, release()).await??;
    }
    Ok("done")
}

async fn quick() -> &'static str {
    "done"
}

fn shop() -> Router {
    let layer = CtxLayer::mesh().default_budget(20 * SECOND);
    let slow = Router::new()
        .route("/checkout/{id}", post(checkout))
        .route("/search", get(handler(search)))
        .route("/orders/{id}/items", get(handler(items)))
        .route("/quick", get(quick))
        .layer(layer.clone().budget(900 * SECOND));
    let short = Router::new().route("/refunds/{id}", post(refund));
    slow.merge(short.layer(layer.budget(Duration::from_millis(400))))
}

/// So many requests that are live: through the layer and the router, without a socket each.
async fn live(many: usize) -> JoinSet<()> {
    let app = shop();
    let mut requests = JoinSet::new();
    let baggage = "tenant=acme,user=u-7;private";
    for n in 0..many {
        let (method, path) = match n % 10 {
            0 => ("POST", format!("/checkout/{n}")),
            1..4 => ("GET", "/search".to_owned()),
            _ => ("GET", format!("/orders/{n}/items")),
        };
        let request = Request::builder().method(method).uri(path).header("baggage", baggage);
        let request = request.body(Body::empty()).unwrap();
        let app = app.clone();
        requests.spawn(async move {
            drop(app.oneshot(request).await);
        });
    }
    requests
}

/// Of the requests: their audits go on, and the refund hangs.
async fn nothing_is_live(service: &Service) {
    service.until(|snapshot| (snapshot["counts"]["requests"].as_u64()? <= 1).then_some(())).await;
}

fn pictures() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_are_shown_filtered_and_opened() {
    let Some(program) = browser::program() else { return };
    let _alone = ALONE.lock().await;
    let view = View::new().show_baggage(["tenant"]).refresh(Duration::from_millis(500));
    let service = Service::start_with(shop(), view).await;
    let mut requests = live(MANY).await;
    // One that leaks: its budget is over, and its cleanup hangs.
    let refund = tokio::spawn(service.client.post(service.url("/refunds/1")).send());
    for _ in 0..30 {
        drop(service.client.get(service.url("/quick")).send().await.unwrap());
    }
    let all = service.until(|snapshot| {
        let requests = snapshot["counts"]["requests"].as_u64()?;
        let leaks = snapshot["counts"]["leaks"].as_u64()?;
        (requests > MANY as u64 && leaks > 0).then_some(requests)
    });
    let all = all.await;

    let browser = Browser::start(program, "many").await;
    browser.theme("light").await;
    browser.open(&service.url("/debug/ctx")).await;
    let shown = browser.until("document.querySelector('#count-requests')?.textContent?.includes(',') && document.querySelector('#count-requests').textContent").await;
    assert_eq!(shown.as_str().unwrap().replace(',', ""), all.to_string());
    // Not ten thousand elements.
    let elements = browser.eval("document.querySelectorAll('#scroll .row').length").await;
    assert!(elements.as_u64().unwrap() < 80, "{elements}");
    // The leak stands on top, and says why.
    let first = browser.until("document.querySelector('#scroll .row.ended')?.innerText").await;
    assert!(first.as_str().unwrap().contains("POST /refunds/{id}"), "{first}");
    assert!(first.as_str().unwrap().contains("its deadline passed"), "{first}");
    browser.picture(&pictures().join("live-light.png")).await;

    // Opened, it says what keeps it; and what ended lately is listed.
    browser.click("#scroll .row.ended").await;
    let leak = browser
        .until(
            "document.querySelector('#open .banner') && document.querySelector('#open').innerText",
        )
        .await;
    let leak = leak.as_str().unwrap();
    for told in ["its deadline passed", "It has not unwound", "shield", "browser::release"] {
        assert!(leak.contains(told), "{told} is not in\n{leak}");
    }
    browser.click("#buckets button.some").await;
    browser
        .until("document.querySelector('#bucket .ended')?.innerText.includes('GET /quick')")
        .await;
    browser.picture(&pictures().join("leak-light.png")).await;
    browser.click("#buckets button.some").await;
    browser.click("#close").await;
    browser.until("document.querySelector('#open').hidden").await;

    // The await that keeps most of them is told first, and is a filter.
    let place = browser.eval("document.querySelector('#places button').innerText").await;
    assert!(place.as_str().unwrap().contains("Semaphore::acquire"), "{place}");
    browser.click("#places button").await;
    browser.until("/^[67],[0-9]{3} of/.test(document.querySelector('#shown').textContent)").await;
    browser.click("#places button").await;
    browser.until("document.querySelector('#shown').textContent.endsWith('shown')").await;

    // Filtered by route, by place and by state.
    browser.write("#filter-name", "post /checkout").await;
    browser.until("document.querySelector('#shown').textContent.startsWith('1,000 of')").await;
    browser.write("#filter-name", "browser::stock_lock").await;
    browser.until("/^[67],000 of/.test(document.querySelector('#shown').textContent)").await;
    browser.write("#filter-name", "nothing like it").await;
    browser.until("!document.querySelector('#empty').hidden").await;
    browser.write("#filter-name", "checkout").await;

    // One opened: the tree, with its task and its awaits.
    browser.click("#scroll .row").await;
    let tree = browser.until("document.querySelector('#open .work .work') && document.querySelector('#open').innerText").await;
    let tree = tree.as_str().unwrap();
    for told in [
        "POST /checkout/{id}",
        "tests/browser.rs:",
        "stock_lock",
        "quote",
        "the audit log is written",
        "tenant",
        "acme",
    ] {
        assert!(tree.contains(told), "{told} is not in\n{tree}");
    }
    assert!(!tree.contains("u-7"), "what is private is never shown:\n{tree}");
    browser.picture(&pictures().join("open-light.png")).await;
    browser.theme("dark").await;
    browser.until("document.documentElement.dataset.theme === 'dark'").await;
    browser.picture(&pictures().join("open-dark.png")).await;

    // It ends while it is open.
    requests.abort_all();
    while requests.join_next().await.is_some() {}
    let over = browser.until("document.querySelector('#open .gone')?.textContent").await;
    assert!(over.as_str().unwrap().contains("It is over"), "{over}");
    assert!(
        browser
            .eval("document.querySelector('#open').innerText")
            .await
            .as_str()
            .unwrap()
            .contains("stock_lock")
    );
    browser.eval("document.querySelector('#close').click()").await;
    browser.write("#filter-name", "").await;
    browser.picture(&pictures().join("over-dark.png")).await;
    refund.abort();
    drop(browser);
    requests.shutdown().await;
    nothing_is_live(&service).await;
}

/// Goal: less than 100 ms of the page's main thread for each look at 10,000 live requests.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_ten_thousand_keeps_the_page_busy_for_less_than_100_ms() {
    let Some(program) = browser::program() else { return };
    let _alone = ALONE.lock().await;
    let view = View::new().refresh(Duration::from_millis(500));
    let service = Service::start_with(shop(), view).await;
    let mut requests = live(MANY).await;
    let browser = Browser::start(program, "busy").await;
    browser.open(&service.url("/debug/ctx")).await;
    browser.until("document.querySelector('#count-requests')?.textContent?.includes(',')").await;
    // The first looks have all rows; from there on what changes is what comes and goes.
    browser.until("Number(document.documentElement.dataset.looks) >= 3").await;
    let (from, busy) = (
        browser.eval("Number(document.documentElement.dataset.looks)").await,
        browser.busy().await,
    );
    let churn = Arc::new(tokio::sync::Notify::new());
    let more = {
        let churn = Arc::clone(&churn);
        tokio::spawn(async move {
            // A hundred requests come and go between two looks.
            loop {
                let requests = live(100).await;
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(200)) => drop(requests),
                    () = churn.notified() => return,
                }
            }
        })
    };
    let until = format!(
        "Number(document.documentElement.dataset.looks) >= {}",
        from.as_u64().unwrap() + 10
    );
    // Asked seldom, since asking is work too.
    while browser.eval(&until).await != serde_json::json!(true) {
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let (to, busy_then) = (
        browser.eval("Number(document.documentElement.dataset.looks)").await,
        browser.busy().await,
    );
    churn.notify_one();
    more.await.unwrap();
    let looks = (to.as_u64().unwrap() - from.as_u64().unwrap()) as f64;
    let each = (busy_then - busy) / looks;
    println!("a look at {MANY} live requests: {each:.1} ms of the main thread, mean of {looks}");
    assert!(each < 100.0, "{each:.1} ms of the main thread for each look");
    requests.shutdown().await;
    nothing_is_live(&service).await;
}
