//! Code that only looks like what a rule is about (design, 6.4): it compiles without a warning, and stays what it is. A file
//! for each rule, a function for each shape: an alias, a re-export, a glob, a nested module, a macro, a method or a type of the
//! same name, a turbofish, a function as a value. What does fire is in `ui/`; more of what does not is in `let_through.rs`.

#![deny(warnings, clippy::pedantic)]

use ctxprop::{Background, Ctx};

#[path = "look_alikes/bare_client.rs"]
mod bare_client;
#[path = "look_alikes/blocking_call.rs"]
mod blocking_call;
#[path = "look_alikes/detached_context.rs"]
mod detached_context;
#[path = "look_alikes/detached_task.rs"]
mod detached_task;
#[path = "look_alikes/static_timeout.rs"]
mod static_timeout;
#[path = "look_alikes/unused_context.rs"]
mod unused_context;

fn root() -> Ctx {
    Ctx::background()
}
