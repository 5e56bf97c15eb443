//! An allow covers its own statement, and a function's covers no other rule.

use ctxprop::{Background, Ctx, propagate};

#[propagate(allow(detached_task, reason = "of this rule only"))]
async fn checkout() {
    #[propagate(allow(detached_context, reason = "a root is meant"))]
    let root = Ctx::background();
    tokio::spawn(async move { drop(root) });
    std::thread::sleep(std::time::Duration::ZERO);
    drop(Ctx::background());
}

fn main() {
    let _ = (checkout(), Ctx::background());
}
