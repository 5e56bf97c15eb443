fn handler(
    ctx: Ctx,
    Path(id): Path<u64>,
) -> impl Future<Output = Result<String, AppError>> {
    scope::<
        Result<String, AppError>,
        _,
    >(
        Clone::clone(&ctx),
        async move {
            #[allow(unused_variables, unused_mut)]
            let ctx = ctx;
            let id = id;
            {
                if false {
                    return returned::<Result<String, AppError>>();
                }
                #[allow(unused_imports)]
                use DeriveFromTheCurrentContext as _;
                #[allow(unused_imports)]
                use AwaitedKind as _;
                #[allow(unused_imports)]
                use {CannotBeSaid as _, CannotSayCancelled as _};
                let how = Returns::<Result<String, AppError>>::new().how();
                match of_one_type(&how, leaf((load(id)).propagated_kind(), &how).await) {
                    Ok(value) => value,
                    Err(end) => {
                        match end.say(&how) {
                            ControlFlow::Continue(value) => value,
                            ControlFlow::Break(end) => return how.bail(end),
                        }
                    }
                }
            }
        },
    )
}
