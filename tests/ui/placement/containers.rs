//! What is wrong inside of an `impl` block, a trait or a module is shown there, each once.

use ctxprop::{Ctx, propagate};

struct Cart;

#[propagate(bugdet = "1s")]
impl Cart {
    async fn load(&self) {}

    #[propagate(budget = "soon")]
    async fn own(&self) {}

    #[propagate]
    #[propagate(unwind)]
    async fn twice(&self) {}

    #[propagate]
    fn no_context(&self) {}

    async fn two_contexts(&self, one: Ctx, two: Ctx) {
        drop((one, two));
    }
}

#[propagate]
trait Store {
    fn by_hand(&self) -> impl Future<Output = ()> + Send;

    #[propagate(skip)]
    fn meant(&self) -> impl Future<Output = ()> + Send;
}

#[propagate(unwind)]
mod handlers {
    pub async fn cannot_say() {}

    #[propagate(skip = true)]
    pub async fn skip_takes_no_value() {}
}

fn main() {
    let _ = (Cart.load(), handlers::cannot_say());
}
