//! `detached::deny()` (design, 6.4): from then on, in this process, a root inside a scope panics. It cannot be taken
//! back, so it has a process of its own.

use std::panic::AssertUnwindSafe;

use ctxprop::{Background, Ctx, detached, propagate};
use futures::FutureExt as _;

fn helper() -> Ctx {
    Ctx::background()
}

#[propagate]
async fn request() {
    drop(helper());
}

#[propagate(allow(
    detached_context,
    reason = "an allow is for the compiler: the guard still looks"
))]
async fn allowed() {
    drop(Ctx::background());
}

#[tokio::test]
async fn a_root_inside_a_scope_panics_where_it_is_made() {
    let root = helper();
    request().with(&root).await;
    assert_eq!(detached::count(), 1);

    detached::deny();
    detached::deny();
    // Outside of a scope nothing has changed.
    drop(helper());
    let caught = [
        AssertUnwindSafe(request().with(&root)).catch_unwind().await,
        AssertUnwindSafe(allowed().with(&root)).catch_unwind().await,
    ];
    for panic in caught {
        let panic = panic.expect_err("it is denied");
        let message = panic.downcast_ref::<String>().expect("a panic with a message");
        assert!(message.contains("detached_deny.rs"), "{message}");
        assert!(message.contains("derive from `Ctx::current()`"), "{message}");
    }
    assert_eq!(detached::count(), 3);
    // A layer under a root of the user's makes none.
    let app = root.sync_scope(|| {
        axum::Router::<()>::new()
            .route("/", axum::routing::get(async || "served"))
            .layer(ctxprop_axum::CtxLayer::mesh().under(&root))
    });
    drop(app);
    assert_eq!(detached::count(), 3);
}
