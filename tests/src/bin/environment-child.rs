//! A process that continues what its environment says, for `tests/child.rs`: it prints what it was told, one thing a
//! line, and starts itself once more if asked to.

use std::error::Error;
use std::process::Command;

use ctxprop::wire::{Environment, Formats};
use ctxprop::{Background, Ctx};

fn main() -> Result<(), Box<dyn Error>> {
    let parent = Formats::queued().extract(&Environment::of_process());
    let (ctx, _canceller) = Ctx::background().with_incoming(parent);
    let left = ctx.remaining().map_or("none".to_owned(), |left| left.as_nanos().to_string());
    println!("trace {}", ctx.span().trace_id());
    println!("parent {:?}", ctx.span().parent_id());
    println!("span {}", ctx.span().span_id());
    println!("state {:?}", ctx.span().trace_state().get("rojo"));
    println!("user {:?}", ctx.baggage_map().get("user"));
    println!("property {:?}", ctx.baggage_map().properties("user").next());
    println!("left {left}");
    println!("done {}", ctx.is_done());
    if std::env::args().nth(1).as_deref() == Some("again") {
        let mut command = Command::new(std::env::current_exe()?);
        ctx.inject(&mut command, &Formats::queued())?;
        command.status()?;
    }
    Ok(())
}
