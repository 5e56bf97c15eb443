fn charge(ctx: &Ctx, id: u64) -> impl Future<Output = Result<(), AppError>> {
    derived::<
        Result<(), AppError>,
        _,
        _,
    >(
        Some(Clone::clone(ctx)),
        |parent: &Ctx| Budget::time(0u64, 250000000u32).of(parent),
        async move {
            let derived = Ctx::current();
            #[allow(unused_variables, unused_mut)]
            let ctx = &derived;
            let id = id;
            {
                if false {
                    return returned::<Result<(), AppError>>();
                }
                #[allow(unused_imports)]
                use DeriveFromTheCurrentContext as _;
                #[allow(unused_imports)]
                use AwaitedKind as _;
                #[allow(unused_imports)]
                use {CannotBeSaid as _, CannotSayCancelled as _};
                let how = Returns::<Result<(), AppError>>::new().how();
                match of_one_type(&how, leaf((pay(id)).propagated_kind(), &how).await) {
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
