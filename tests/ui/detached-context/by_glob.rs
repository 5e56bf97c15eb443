//! A root under a name that came with everything of a module.

use ctxprop::propagate;

mod prelude {
    pub use ctxprop::*;
    pub mod request {
        pub use ctxprop::Ctx as Context;
    }
}
use prelude::*;

#[propagate]
async fn at_the_top() {
    drop(Ctx::background());
}

#[propagate]
async fn inside() {
    use prelude::request::*;
    drop(Context::todo());
}

#[propagate]
async fn nested() {
    drop(prelude::request::Context::background());
}

fn main() {}
