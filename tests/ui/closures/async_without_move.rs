//! An async closure without `move` that has a name and leaves the function: it borrows the context.

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
    let load = async |id| load_cart(id).await;
    let load = Kept(load).keep();
    (load.0)(1).await
}

fn main() {}
