//! A shop that is right, and four that are wrong in one way each. None of them knows that it is tested.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ctxprop::{Cancelled, Ctx};
use tokio::sync::Notify;
use tokio::time::sleep;

pub mod leaks;
pub mod loses;
pub mod right;
pub mod swallows;
pub mod unshielded;

/// What outlives the requests.
#[derive(Debug, Default)]
pub struct Shop {
    reserved: AtomicUsize,
    audited: Notify,
    sessions: Mutex<HashMap<u64, Ctx>>,
}

impl Shop {
    /// An empty one.
    pub fn open() -> Arc<Shop> {
        Arc::default()
    }

    /// How many reservations nobody released.
    pub fn reserved(&self) -> usize {
        self.reserved.load(Relaxed)
    }

    fn enter(&self, id: u64, ctx: &Ctx) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(id, ctx.clone());
    }

    fn leave(&self, id: u64) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

/// The code of the page is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/testing.md")]
mod page {}

const ROUND_TRIP: Duration = Duration::from_millis(20);

#[ctxprop::propagate]
async fn reserve(shop: &Shop) -> Result<(), Cancelled> {
    sleep(ROUND_TRIP).await;
    shop.reserved.fetch_add(1, Relaxed);
    Ok(())
}

#[ctxprop::propagate]
async fn release(shop: &Shop) -> Result<(), Cancelled> {
    sleep(ROUND_TRIP).await;
    shop.reserved.fetch_sub(1, Relaxed);
    Ok(())
}

#[ctxprop::propagate]
async fn charge() -> Result<(), Cancelled> {
    sleep(ROUND_TRIP).await;
    Ok(())
}
