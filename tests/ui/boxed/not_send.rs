//! A boxed future is `Send`: what keeps it from that is shown.

use ctxprop::propagate;

#[propagate]
async fn load_cart(id: u64) -> u64 {
    id
}

#[propagate(boxed)]
async fn checkout() -> u64 {
    let local = std::rc::Rc::new(1);
    load_cart(*local).await + *local
}

#[propagate]
trait Store {
    async fn load(&self) -> u64;
}

struct Local(std::rc::Rc<u64>);

#[propagate]
impl Store for Local {
    async fn load(&self) -> u64 {
        let local = self.0.clone();
        load_cart(1).await + *local
    }
}

fn main() {
    let _ = (checkout(), Local(Default::default()).load());
}
