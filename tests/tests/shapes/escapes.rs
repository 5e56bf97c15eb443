//! What the rules let through.

use ctxprop::{Background, Ctx, propagate};

use super::{ctx, marked};

/// Look-alikes of what the rules refuse: none of them is ours or tokio's.
mod look_alikes {
    use super::*;

    struct Ctx;
    impl Ctx {
        fn background() -> u32 {
            1
        }
        fn todo() -> u32 {
            2
        }
    }
    struct Pool;
    impl Pool {
        fn spawn(&self, n: u32) -> u32 {
            n
        }
    }
    mod task {
        pub(super) fn spawn(n: u32) -> u32 {
            n
        }
    }
    fn spawn(n: u32) -> u32 {
        n
    }

    #[propagate]
    async fn none_of_them() -> u32 {
        marked().await;
        Ctx::background() + Ctx::todo() + Pool.spawn(1) + task::spawn(1) + spawn(1)
    }

    #[tokio::test]
    async fn are_let_through() {
        assert_eq!(none_of_them().with(&ctx()).await, 6);
    }
}

#[propagate(allow(detached_task, detached_context, reason = "a test of the escape"))]
async fn allowed() -> bool {
    let root = Ctx::background();
    tokio::spawn(async {}).await.is_ok() && root.deadline().is_none()
}

#[tokio::test]
async fn the_escape() {
    assert!(allowed().with(&ctx()).await);
}
