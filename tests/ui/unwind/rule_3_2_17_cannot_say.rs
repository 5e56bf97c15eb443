//! `unwind` demands that the function can say `Cancelled`.

use ctxprop::propagate;

struct DbError;

#[propagate(unwind)]
async fn unit() {}

#[propagate(unwind)]
async fn foreign_error() -> Result<(), DbError> {
    Ok(())
}

fn main() {
    let _ = (unit(), foreign_error());
}
