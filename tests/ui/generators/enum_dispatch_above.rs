//! `#[enum_dispatch]` above `#[propagate]` writes an `impl` that has no attribute.

use ctxprop::propagate;
use enum_dispatch::enum_dispatch;

#[enum_dispatch]
#[propagate]
trait Shape {
    async fn area(&self, scale: u32) -> u32;
}

struct Square(u32);

#[propagate]
impl Shape for Square {
    async fn area(&self, scale: u32) -> u32 {
        self.0 * scale
    }
}

#[enum_dispatch(Shape)]
enum Any {
    Square(Square),
}

fn main() {}
