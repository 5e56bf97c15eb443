//! A root made by a macro that cannot be looked into.

use ctxprop::{Background, Ctx, propagate};

macro_rules! root {
    () => {
        Ctx::background()
    };
}

#[propagate]
async fn load_cart() {
    drop(root!());
}

fn main() {
    let _ = (load_cart(), Ctx::background());
}
