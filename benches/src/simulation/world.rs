//! All that the services and users of one simulation share: workers, chance, and the accounts.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use ctxprop::{Background, Ctx};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::{Outcome, Parameters, service};

/// One simulation.
#[derive(Debug)]
pub struct World {
    /// What is simulated.
    pub parameters: Parameters,
    /// Of each level.
    pub workers: Vec<Semaphore>,
    /// Of each level.
    services: Vec<Router>,
    /// What all requests hang below.
    pub root: Ctx,
    began: Instant,
    accounts: Mutex<Outcome>,
}

/// The work that is done for one try of one user.
#[derive(Debug)]
pub struct Job {
    /// Where it is done.
    pub world: Arc<World>,
    /// In nanoseconds from the beginning; none yet is the greatest.
    left: AtomicU64,
    /// The same for the same user, whatever the mode.
    chance: Mutex<RefCell<fastrand::Rng>>,
}

impl World {
    /// With the services of all levels.
    #[must_use]
    pub fn new(parameters: Parameters) -> Arc<World> {
        let levels = 0..=parameters.depth;
        let mean = parameters.service_time.as_secs_f64() * (parameters.sigma.powi(2) / 2.0).exp();
        let workers = levels.clone().map(|level| {
            let calls = f64::from(parameters.fan_out.pow(level));
            // Each level bears the same, so that queues are where chance puts them.
            Semaphore::new(((parameters.bears * calls * mean).round() as usize).max(1))
        });
        let workers = workers.collect();
        let root = Ctx::background().with_cancel().0;
        let services = levels.map(|level| service::router(level, &root, &parameters)).collect();
        let accounts = Mutex::default();
        let began = Instant::now();
        Arc::new(World { parameters, workers, services, root, began, accounts })
    }

    /// The service of a level.
    #[must_use]
    pub fn service(&self, level: u32) -> Option<&Router> {
        self.services.get(level as usize)
    }

    fn account<R>(&self, of: impl FnOnce(&mut Outcome) -> R) -> R {
        of(&mut self.accounts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A user came in this second, and was answered or not.
    pub fn came(&self, second: usize, answered: bool) {
        self.account(|all| {
            let longest = all.came.len().max(second + 1);
            all.came.resize(longest, 0);
            all.answered.resize(longest, 0);
            all.requests += 1;
            if let (Some(came), Some(good)) =
                (all.came.get_mut(second), all.answered.get_mut(second))
            {
                *came += 1;
                *good += u64::from(answered);
            }
        });
    }

    /// The accounts, once nothing is being worked on any more.
    pub async fn outcome(&self) -> Outcome {
        // What nobody waits for goes on: all its workers are there again when it is done.
        let mut quiet = false;
        while !quiet {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
            quiet = tasks == 0;
        }
        let left = self.root.live_children() + self.root.live_tasks();
        self.account(|all| Outcome { left, ..all.clone() })
    }
}

impl Job {
    /// For one try of a user.
    #[must_use]
    pub fn new(world: &Arc<World>, seed: u64) -> Arc<Job> {
        let chance = Mutex::new(RefCell::new(fastrand::Rng::with_seed(seed)));
        Arc::new(Job { world: Arc::clone(world), left: AtomicU64::new(u64::MAX), chance })
    }

    /// The user does not wait for it any more.
    pub fn leave(&self) {
        let now = self.world.began.elapsed().as_nanos() as u64;
        self.left.fetch_min(now, Ordering::Relaxed);
    }

    /// A call of a service begins: how long that works.
    #[must_use]
    pub fn hop(&self) -> Duration {
        self.world.account(|all| all.hops += 1);
        let Parameters { service_time, sigma, .. } = self.world.parameters;
        let chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        let mut chance = chance.borrow_mut();
        service_time.mul_f64((sigma * normal(&mut chance)).exp())
    }
}

/// Of mean 0 and deviation 1 (Box and Muller).
fn normal(chance: &mut fastrand::Rng) -> f64 {
    let (radius, angle) = (1.0 - chance.f64(), std::f64::consts::TAU * chance.f64());
    (-2.0 * radius.ln()).sqrt() * angle.cos()
}

/// A worker that works; dropped, it is accounted for, be it done or not.
#[derive(Debug)]
pub struct Working<'a> {
    job: &'a Job,
    since: Instant,
}

impl<'a> Working<'a> {
    /// From now on.
    #[must_use]
    pub fn on(job: &'a Job) -> Working<'a> {
        Working { job, since: Instant::now() }
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let began = self.since.duration_since(self.job.world.began).as_nanos() as u64;
        let now = self.job.world.began.elapsed().as_nanos() as u64;
        // Who leaves later is accounted for by what was known: their work was not in vain yet.
        let left = self.job.left.load(Ordering::Relaxed).clamp(began, now);
        self.job.world.account(|all| {
            all.work += Duration::from_nanos(now - began).as_secs_f64();
            all.wasted += Duration::from_nanos(now - left).as_secs_f64();
        });
    }
}
