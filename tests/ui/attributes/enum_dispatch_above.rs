//! `#[enum_dispatch]` above `#[propagate]`: it has read the trait before that is rewritten.

use ctxprop::propagate;
use enum_dispatch::enum_dispatch;

#[enum_dispatch]
#[propagate]
trait Shape {
    async fn area(&self) -> u64;
}

struct Square(u64);

#[propagate]
impl Shape for Square {
    async fn area(&self) -> u64 {
        self.0 * self.0
    }
}

#[enum_dispatch(Shape)]
enum Any {
    Square(Square),
}

fn main() {}
