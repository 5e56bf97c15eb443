//! Names that the body itself imports are known.

use ctxprop::propagate;

#[propagate]
async fn by_name() {
    use tokio::spawn;
    spawn(async {});
}

#[propagate]
async fn by_another_name() {
    use ::tokio::task::{self, spawn_blocking as run};
    use std::thread as threads;
    run(|| ());
    task::spawn(async {});
    threads::spawn(|| ());
}

#[propagate]
async fn by_an_import_of_an_import() {
    use task::spawn_local;
    use tokio::*;
    use tokio::{self as rt, task};
    spawn_local(async {});
    rt::spawn(async {});
    spawn(async {});
}

#[propagate]
async fn in_an_inner_block() {
    {
        use std::thread::*;
        spawn(|| ());
    }
}

fn main() {
    let _ = (by_name(), by_another_name(), by_an_import_of_an_import(), in_an_inner_block());
}
