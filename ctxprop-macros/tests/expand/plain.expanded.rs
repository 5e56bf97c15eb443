fn left(ctx: &Ctx) -> Option<Duration> {
    #[allow(unused_imports)]
    use DeriveFromTheCurrentContext as _;
    ctx.remaining()
}
