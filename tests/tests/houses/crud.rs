//! Items over a repository with transactions.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use ctxprop::{Cancelled, Ctx, propagate};
use ctxprop_axum::{CtxLayer, handler};
use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, OwnedMutexGuard, Semaphore};

use crate::serve;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Item {
    id: u64,
    name: String,
}

#[derive(Debug, thiserror::Error)]
enum DbError {
    #[error("no such row")]
    RowNotFound,
    #[error("unique violation: {0}")]
    Unique(String),
    #[error("the pool is closed")]
    Closed,
}

#[derive(Debug, thiserror::Error)]
enum AppError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("invalid: {0}")]
    Invalid(&'static str),
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

type AppResult<T> = Result<T, AppError>;
type Items = Json<Vec<Item>>;

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let status = match &self {
            AppError::Db(DbError::RowNotFound) => StatusCode::NOT_FOUND,
            AppError::Db(DbError::Unique(_)) => StatusCode::CONFLICT,
            AppError::Cancelled(cancelled) => return cancelled.clone().into_response(),
            AppError::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            AppError::Db(DbError::Closed) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, self.to_string()).into_response()
    }
}

/// A table; a transaction holds it and a copy of its rows.
#[derive(Clone)]
struct Pool {
    rows: Arc<Mutex<Vec<Item>>>,
    /// One for each row that may be written.
    writes: Arc<Semaphore>,
    events: UnboundedSender<&'static str>,
}

struct Tx {
    events: UnboundedSender<&'static str>,
    table: OwnedMutexGuard<Vec<Item>>,
    rows: Vec<Item>,
}

#[propagate]
impl Tx {
    async fn commit(mut self) -> Result<(), DbError> {
        *self.table = std::mem::take(&mut self.rows);
        let _ = self.events.send("committed");
        Ok(())
    }

    async fn rollback(self) -> Result<(), DbError> {
        tokio::task::yield_now().await;
        let _ = self.events.send("rolled back");
        Ok(())
    }
}

#[propagate(boxed)]
trait Repository: Send + Sync {
    async fn begin(&self) -> Result<Tx, DbError>;
    async fn page(&self, offset: usize, limit: usize) -> Result<Vec<Item>, DbError>;
    async fn insert(&self, tx: &mut Tx, name: &str) -> Result<Item, DbError>;

    async fn find(&self, id: u64) -> Result<Item, DbError> {
        let all = self.page(0, usize::MAX).await?;
        all.into_iter().find(|item| item.id == id).ok_or(DbError::RowNotFound)
    }
}

#[propagate(boxed)]
impl Repository for Pool {
    async fn begin(&self) -> Result<Tx, DbError> {
        let table = Arc::clone(&self.rows).lock_owned().await;
        Ok(Tx { events: self.events.clone(), rows: table.clone(), table })
    }

    async fn page(&self, offset: usize, limit: usize) -> Result<Vec<Item>, DbError> {
        Ok(self.rows.lock().await.iter().skip(offset).take(limit).cloned().collect())
    }

    async fn insert(&self, tx: &mut Tx, name: &str) -> Result<Item, DbError> {
        if tx.rows.iter().any(|row| row.name == name) {
            return Err(DbError::Unique(name.to_owned()));
        }
        if self.writes.available_permits() == 0 {
            let _ = self.events.send("waits");
        }
        self.writes.acquire().await.map_err(|_| DbError::Closed)?.forget();
        let item = Item { id: tx.rows.len() as u64 + 1, name: name.to_owned() };
        tx.rows.push(item.clone());
        Ok(item)
    }
}

#[propagate]
trait Audit {
    async fn record(&self, what: &str) -> Result<(), DbError>;
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

#[propagate]
impl Audit for Log {
    async fn record(&self, what: &str) -> Result<(), DbError> {
        self.0.lock().await.push(what.to_owned());
        Ok(())
    }
}

#[derive(Clone)]
struct AppState {
    items: Arc<dyn Repository>,
    log: Log,
}

#[derive(Debug, Deserialize)]
struct Pages {
    offset: Option<usize>,
    limit: Option<usize>,
}

#[propagate]
#[tracing::instrument(skip(state))]
async fn list(State(state): State<AppState>, Query(pages): Query<Pages>) -> AppResult<Items> {
    let limit = pages.limit.unwrap_or(50).min(100);
    Ok(Json(state.items.page(pages.offset.unwrap_or(0), limit).await?))
}

#[propagate]
async fn show(State(state): State<AppState>, Path(id): Path<u64>) -> Result<Json<Item>, AppError> {
    Ok(Json(state.items.find(id).await?))
}

#[propagate]
#[tracing::instrument(skip_all, fields(count = batch.len()))]
async fn create(
    State(AppState { items, log }): State<AppState>,
    Json(batch): Json<Vec<String>>,
) -> AppResult<(StatusCode, Items)> {
    let batch = try_join_all(batch.into_iter().map(|name| async move {
        validate(&name).await?;
        Ok::<_, AppError>(name)
    }))
    .await?;
    let mut tx = items.begin().await?;
    match insert_all(&*items, &mut tx, &batch).await {
        Ok(created) => {
            Ctx::current().shield(Duration::from_secs(1), tx.commit()).await??;
            audit(&log, created.iter().map(|item| item.name.as_str())).await?;
            Ok((StatusCode::CREATED, Json(created)))
        }
        Err(error) => {
            Ctx::current().shield(Duration::from_secs(1), tx.rollback()).await??;
            Err(error)
        }
    }
}

#[propagate]
async fn validate(name: &str) -> AppResult<()> {
    if name.is_empty() {
        return Err(AppError::Invalid("a name"));
    }
    Ok(())
}

#[propagate]
async fn insert_all(db: &dyn Repository, tx: &mut Tx, batch: &[String]) -> AppResult<Vec<Item>> {
    let mut created = Vec::with_capacity(batch.len());
    for name in batch {
        created.push(db.insert(tx, name).await?);
    }
    Ok(created)
}

#[propagate]
async fn audit<'a>(log: &impl Audit, names: impl Iterator<Item = &'a str>) -> Result<(), DbError> {
    for name in names {
        log.record(&format!("created {name}")).await?;
    }
    Ok(())
}

#[propagate]
async fn export(
    ctx: Ctx,
    State(state): State<AppState>,
    Json(ids): Json<Vec<u64>>,
) -> AppResult<String> {
    let items: Vec<Item> = stream::iter(ids)
        .map(|id| {
            let items = &state.items;
            async move { items.find(id).await }
        })
        .buffered(4)
        .try_collect()
        .await?;
    let line = |item: &Item| format!("{},{}\n", item.id, item.name);
    let csv = ctx.spawn_blocking(move |_| items.iter().map(line).collect::<String>()).await?;
    let audit = ctx.detach("audited whatever becomes of the request");
    audit.spawn(async move { state.log.record("exported").await });
    Ok(csv)
}

fn app(state: AppState) -> Router {
    Router::new()
        .route("/items", get(handler(list)).post(handler(create)))
        .route("/items/{id}", get(handler(show)))
        .route("/export", axum::routing::post(export))
        .with_state(state)
        .layer(CtxLayer::edge().default_budget(Duration::from_secs(60)))
}

/// A house with room for `rows` rows; what it tells.
async fn house(rows: usize) -> (String, Pool, UnboundedReceiver<&'static str>) {
    let (events, told) = unbounded_channel();
    let pool = Pool { rows: Arc::default(), writes: Arc::new(Semaphore::new(rows)), events };
    let state = AppState { items: Arc::new(pool.clone()), log: Log::default() };
    (serve(app(state)).await, pool, told)
}

#[tokio::test]
async fn items_are_created_paged_and_exported() {
    let (house, _pool, mut told) = house(9).await;
    let client = reqwest::Client::new();
    let post = |path: &str, body: Value| client.post(format!("{house}{path}")).json(&body).send();
    let created = post("/items", json!(["a", "b", "c"])).await.unwrap();
    assert_eq!(created.status(), 201);
    assert_eq!(created.json::<Vec<Item>>().await.unwrap().len(), 3);
    let page = client.get(format!("{house}/items?offset=1&limit=1")).send().await.unwrap();
    assert_eq!(page.json::<Vec<Item>>().await.unwrap(), [Item { id: 2, name: "b".into() }]);
    let absent = client.get(format!("{house}/items/9")).send().await.unwrap();
    assert_eq!(absent.status(), 404);
    let exported = post("/export", json!([3, 1])).await.unwrap();
    assert_eq!(exported.text().await.unwrap(), "3,c\n1,a\n");
    assert_eq!(post("/items", json!(["d", "a"])).await.unwrap().status(), 409);
    assert_eq!(post("/items", json!([""])).await.unwrap().status(), 422);
    assert_eq!((told.recv().await, told.recv().await), (Some("committed"), Some("rolled back")));
}

#[tokio::test]
async fn a_batch_that_passes_its_deadline_is_rolled_back() {
    let (house, pool, mut told) = house(1).await;
    let request = reqwest::Client::new().post(format!("{house}/items")).json(&["a", "b"]);
    let answer = tokio::spawn(request.header("x-timeout-ms", "30000").send());
    assert_eq!(told.recv().await, Some("waits"));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(answer.await.unwrap().unwrap().status(), 504);
    assert!(pool.rows.lock().await.is_empty());
    assert_eq!(told.try_recv(), Ok("rolled back"));
}

#[tokio::test]
async fn a_batch_of_a_client_that_leaves_is_rolled_back() {
    let (house, pool, mut told) = house(1).await;
    let request = reqwest::Client::new().post(format!("{house}/items")).json(&["a", "b"]);
    let client = tokio::spawn(request.send());
    assert_eq!(told.recv().await, Some("waits"));
    client.abort();
    assert!(pool.rows.lock().await.is_empty());
    assert_eq!(told.try_recv(), Ok("rolled back"));
}
