#[propagate]
fn left(ctx: &Ctx) -> Option<Duration> {
    ctx.remaining()
}
