async fn charge(ctx: &Ctx, id: u64) -> Result<(), AppError> {
    let derived = Budget::time(0u64, 250000000u32).of(ctx);
    scope::<
        Result<(), AppError>,
        _,
    >(
            Clone::clone(&derived),
            async move {
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
                    use Kind as _;
                    #[allow(unused_imports)]
                    use {CannotBeSaid as _, CannotSayCancelled as _};
                    let how = Returns::<Result<(), AppError>>::new().how();
                    match of_one_type(
                        &how,
                        leaf((pay(id)).propagated_kind(), &how).await,
                    ) {
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
        .await
}
