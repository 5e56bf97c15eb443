//! A trait whose methods return futures, and what is generic over it.

use std::future::Future;

pub trait Clock {
    fn now(&self) -> impl Future<Output = u64> + Send;

    fn later(&self, by: u64) -> impl Future<Output = u64> + Send
    where
        Self: Sync,
    {
        async move { self.now().await + by }
    }

    fn wound(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

pub struct Fixed(pub u64);

impl Clock for Fixed {
    async fn now(&self) -> u64 {
        self.0
    }
}

pub async fn when(clock: &(impl Clock + Sync)) -> u64 {
    clock.wound().await;
    clock.later(1).await
}
