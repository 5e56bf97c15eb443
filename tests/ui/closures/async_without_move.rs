//! An async closure without `move` that leaves the function: it borrows the context.

use ctxprop::propagate;

#[propagate]
async fn load_cart(id: u64) -> u64 {
    id
}

struct Kept<F>(F);

impl<F: AsyncFn(u64) -> u64 + 'static> Kept<F> {
    fn keep(self) -> Self {
        self
    }
}

#[propagate]
async fn checkout() -> u64 {
    let load = Kept(async |id| load_cart(id).await).keep();
    (load.0)(1).await
}

fn main() {}
