//! A root through an import, an alias, a re-export and a qualified path.

use ctxprop::{Background, Ctx, Ctx as Context, propagate};

mod prelude {
    pub type Request = ctxprop::Ctx;
}

#[propagate]
async fn imported() {
    drop(Ctx::background());
}

#[propagate]
async fn aliased() {
    drop(Context::todo());
}

#[propagate]
async fn exported() {
    drop(prelude::Request::background());
}

#[propagate]
async fn qualified() {
    drop(<Ctx as Background>::background());
}

#[propagate]
async fn in_a_closure_and_a_block() {
    let make = || Ctx::background();
    let block = async { Ctx::background() };
    println!("{:?} {:?} {:?}", make(), block.await, Ctx::background());
}

fn main() {
    let _ = (imported(), aliased(), exported(), qualified(), in_a_closure_and_a_block());
}
