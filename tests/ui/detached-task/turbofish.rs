//! The type of the future written out.

use std::future::Ready;

use ctxprop::propagate;
use tokio::spawn;

#[propagate]
async fn by_path() {
    tokio::spawn::<Ready<()>>(std::future::ready(()));
    std::thread::spawn::<fn(), ()>(|| ());
}

#[propagate]
async fn imported() {
    spawn::<Ready<()>>(std::future::ready(()));
}

fn main() {}
