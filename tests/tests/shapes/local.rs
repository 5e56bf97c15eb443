//! `local`: traits and boxes that ask nobody to be `Send`, on a `LocalSet`.

use std::rc::Rc;

use ctxprop::{Ctx, propagate};

use super::{ctx, here, marked};

#[propagate(local)]
trait Count {
    async fn count(&self, by: &Rc<u32>) -> u32;

    async fn twice(&self, by: &Rc<u32>) -> u32 {
        self.count(by).await + self.count(by).await
    }

    async fn given(&self, ctx: Ctx, by: Rc<u32>) -> u32;
}

struct Shared(Rc<u32>);

#[propagate(local)]
impl Count for Shared {
    async fn count(&self, by: &Rc<u32>) -> u32 {
        let held = Rc::clone(by);
        assert_eq!(marked().await, "conveyed");
        *held + *self.0
    }

    async fn given(&self, ctx: Ctx, by: Rc<u32>) -> u32 {
        assert!(!ctx.is_done());
        self.count(&by).await
    }
}

#[propagate(boxed, local)]
trait Dynamic {
    async fn get(&self, key: &str) -> (Rc<u32>, &'static str);

    async fn make() -> u32
    where
        Self: Sized;
}

#[propagate(boxed, local)]
impl Dynamic for Shared {
    async fn get(&self, key: &str) -> (Rc<u32>, &'static str) {
        let held = Rc::clone(&self.0);
        marked().await;
        (Rc::new(*held + key.len() as u32), here())
    }

    async fn make() -> u32 {
        marked().await.len() as u32
    }
}

#[propagate(boxed, local)]
async fn free(held: Rc<u32>) -> u32 {
    marked().await;
    *held
}

#[tokio::test]
async fn runs_what_is_not_send() {
    let ctx = ctx();
    let shared = Shared(Rc::new(1));
    assert_eq!(shared.twice(&Rc::new(2)).with(&ctx).await, 6);
    assert_eq!(shared.given(ctx.clone(), Rc::new(3)).await, 4);
    assert_eq!(free(Rc::new(5)).with(&ctx).await, 5);
    assert_eq!(Shared::make().with(&ctx).await, 8);
    let dynamic: Box<dyn Dynamic> = Box::new(shared);
    assert_eq!(dynamic.get("ab").with(&ctx).await, (Rc::new(3), "conveyed"));
    let set = tokio::task::LocalSet::new();
    let task = set.run_until(async {
        tokio::task::spawn_local(async move { dynamic.get("abc").with(&ctx).await }).await
    });
    assert_eq!(task.await.unwrap(), (Rc::new(4), "conveyed"));
}
