//! Users: they come by chance, wait as long as they like, leave, hedge and try again.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use http::StatusCode;
use tokio::time::{Instant, sleep, timeout};

use super::world::{Job, World};
use super::{Mode, Parameters, service};

/// All users, one after the other and all at once.
pub(super) async fn all(world: &Arc<World>) {
    let Parameters { rate, seed, .. } = world.parameters.clone();
    let mut chance = fastrand::Rng::with_seed(seed);
    let began = Instant::now();
    let mut users = Vec::new();
    let mut at = 0.0;
    while let Some(rate) = rate.get(at as usize).filter(|rate| **rate > 0.0) {
        // Exponential gaps: users know nothing of each other.
        at += -(1.0 - chance.f64()).ln() / rate;
        tokio::time::sleep_until(began + Duration::from_secs_f64(at)).await;
        users.push(tokio::spawn(user(Arc::clone(world), at as usize, chance.u64(..))));
    }
    for user in users {
        // A user that panicked would be missing in the accounts, and that would be seen.
        drop(user.await);
    }
}

async fn user(world: Arc<World>, second: usize, seed: u64) {
    let mut chance = fastrand::Rng::with_seed(seed);
    let Parameters { patience, leave_early, retries, .. } = world.parameters;
    let mut answered = false;
    for _ in 0..=retries {
        let leaves = chance.f64() < leave_early;
        let waits = if leaves { patience.mul_f64(chance.f64()) } else { patience };
        answered = timeout(waits, tried(&world, &mut chance)).await == Ok(true);
        if answered || leaves {
            break;
        }
    }
    world.came(second, answered);
}

/// One try: a request, and a second one beside it where that is late.
async fn tried(world: &Arc<World>, chance: &mut fastrand::Rng) -> bool {
    let first = Box::pin(request(world, chance.u64(..)));
    let Some(after) = world.parameters.hedge_after else { return first.await };
    let seed = chance.u64(..);
    let second = Box::pin(async {
        sleep(after).await;
        request(world, seed).await
    });
    match select(first, second).await {
        Either::Left((answered, _)) | Either::Right((answered, _)) => answered,
    }
}

/// One request, which its user leaves where it is dropped.
async fn request(world: &Arc<World>, seed: u64) -> bool {
    let job = Job::new(world, seed);
    let leaves = Leaves(Arc::clone(&job));
    let status = match world.parameters.mode {
        Mode::Static => service::plain_call(&job).await,
        Mode::Budgets | Mode::Cancellation => {
            let ctx = world.root.with_timeout(world.parameters.patience);
            service::call(&job, 0, &ctx).await.unwrap_or(StatusCode::GATEWAY_TIMEOUT)
        }
    };
    drop(leaves);
    status == StatusCode::OK
}

/// Whoever is answered has left too.
struct Leaves(Arc<Job>);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.leave();
    }
}
