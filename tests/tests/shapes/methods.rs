//! Methods, with every receiver there is.

use std::fmt::Display;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;

use ctxprop::{Ctx, propagate};

use super::{ctx, marked};

struct Store<T> {
    items: Vec<T>,
}

impl<T: Clone + Display + Send + Sync> Store<T> {
    #[propagate]
    async fn first<'a>(&'a self, fallback: &'a T) -> &'a T {
        marked().await;
        self.items.first().unwrap_or(fallback)
    }

    #[propagate]
    async fn push(&mut self, item: T) -> usize {
        marked().await;
        self.items.push(item);
        self.items.len()
    }

    #[propagate]
    async fn shared(self: Arc<Self>) -> String {
        marked().await;
        self.items.iter().map(T::to_string).collect()
    }

    #[propagate]
    async fn owned(mut self, ctx: &Ctx, item: T) -> Vec<T> {
        assert!(!ctx.is_done());
        marked().await;
        self.items.push(item);
        self.items
    }

    #[propagate]
    async fn pinned(self: Pin<&mut Self>, item: T) -> usize
    where
        T: Unpin,
    {
        marked().await;
        let this = self.get_mut();
        this.items.push(item);
        this.items.len()
    }

    #[propagate]
    async fn boxed(self: Box<Self>) -> usize {
        marked().await;
        self.items.len()
    }

    #[propagate]
    async fn counted(self: Rc<Self>, ctx: Ctx) -> usize {
        drop(ctx);
        marked().await;
        self.items.len()
    }

    #[propagate]
    async fn made(items: [T; 2]) -> Self {
        marked().await;
        Store { items: Vec::from(items) }
    }

    #[propagate]
    async fn unused_self(self) -> usize {
        marked().await.len()
    }
}

#[tokio::test]
async fn methods() {
    let mut store = Store { items: vec![1, 2] };
    assert_eq!(*store.first(&0).with(&ctx()).await, 1);
    assert_eq!(store.push(3).with(&ctx()).await, 3);
    let store = Arc::new(store);
    assert_eq!(Arc::clone(&store).shared().with(&ctx()).await, "123");
    assert_eq!(Store { items: vec![1] }.owned(&ctx(), 2).await, [1, 2]);
    assert_eq!(pin!(Store { items: vec![1] }).pinned(2).with(&ctx()).await, 2);
    assert_eq!(Box::new(Store { items: vec![1] }).boxed().with(&ctx()).await, 1);
    assert_eq!(Rc::new(Store { items: vec![1] }).counted(ctx()).await, 1);
    assert_eq!(Store::made([1, 2]).with(&ctx()).await.items, [1, 2]);
    assert_eq!(Store { items: vec![1] }.unused_self().with(&ctx()).await, 8);
}
