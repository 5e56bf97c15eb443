//! The events of one order, as they happen: server-sent events, which last until the order is at its end.

use std::convert::Infallible;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use ctxprop::{Ctx, propagate};
use futures_util::{Stream, StreamExt, future, stream};
use tokio_stream::wrappers::BroadcastStream;

use super::Orders;
use crate::ShopError;

/// How far it is now, and each change from then on.
#[propagate]
pub(super) async fn of_order(
    ctx: Ctx,
    State(orders): State<Orders>,
    Path(key): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>, ShopError> {
    // In this order, so that no change falls between.
    let changes = BroadcastStream::new(orders.0.changes.subscribe());
    let now = orders.state(&key).await?;
    tracing::debug!(budget = ?ctx.remaining(), "somebody listens");
    let later = changes.filter_map(move |change| {
        let change = change.ok().filter(|change| change.key == key);
        future::ready(change.map(|change| change.state))
    });
    // The last state is the last event, and not the one before something that never comes.
    let states = stream::iter([now]).chain(later).flat_map(|state| {
        let is_last = state == "shipped" || state == "released";
        stream::iter([Some(state)].into_iter().chain(is_last.then_some(None)))
    });
    let until_the_end = states.take_while(|state| future::ready(state.is_some()));
    let events = until_the_end
        .filter_map(future::ready)
        .map(|state| Ok(Event::default().event("state").data(state)));
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}
