fn checkout(ctx: Ctx, id: u64) -> impl Future<Output = Result<(), Cancelled>> {
    scope::<
        Result<(), Cancelled>,
        _,
    >(
        Clone::clone(&ctx),
        async move {
            #[allow(unused_variables, unused_mut)]
            let mut ctx = ctx;
            let id = id;
            {
                if false {
                    return returned::<Result<(), Cancelled>>();
                }
                #[allow(unused_imports)]
                use DeriveFromTheCurrentContext as _;
                #[allow(unused_imports)]
                use AwaitedKind as _;
                #[allow(unused_imports)]
                use {CannotBeSaid as _, CannotSayCancelled as _};
                let how = Returns::<Result<(), Cancelled>>::new().how();
                #[allow(unused_mut, unused_variables, unused_assignments)]
                let mut propagated_ctx = Ctx::current();
                {
                    ctx = ctx.with_timeout(LIMIT);
                    #[allow(unused_assignments)]
                    {
                        propagated_ctx = {
                            #[allow(unused_imports)]
                            use OtherName as _;
                            Name(&ctx).context_or(&propagated_ctx)
                        };
                    }
                };
                let ctx = ctx.with_value(id);
                #[allow(unused_mut, unused_variables, unused_assignments)]
                let mut propagated_ctx = {
                    #[allow(unused_imports)]
                    use OtherName as _;
                    Name(&ctx).context_or(&propagated_ctx)
                };
                match of_one_type(
                    &how,
                    leaf_under(&propagated_ctx, (charge(id)).propagated_kind(), &how)
                        .await,
                ) {
                    Ok(value) => value,
                    Err(end) => {
                        match at(&propagated_ctx, || end.say(&how)) {
                            ControlFlow::Continue(value) => value,
                            ControlFlow::Break(end) => {
                                return at(&propagated_ctx, || how.bail(end));
                            }
                        }
                    }
                }
            }
        },
    )
}
