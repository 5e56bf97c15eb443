fn macros() -> NeedsCtx<impl Future<Output = Result<(), AppError>>> {
    needs_ctx::<
        Result<(), AppError>,
        _,
    >(async move {
        {
            if false {
                return returned::<Result<(), AppError>>();
            }
            #[allow(unused_imports)]
            use DeriveFromTheCurrentContext as _;
            #[allow(unused_imports)]
            use Kind as _;
            #[allow(unused_imports)]
            use NoFuture as _;
            #[allow(unused_imports)]
            use CannotSayCancelled as _;
            let how = Returns::<Result<(), AppError>>::new().how();
            let (one, two) = match (
                Awaited((load(1)).propagated_kind()).part(),
                Awaited((load(2)).propagated_kind()).part(),
            ) {
                ((joined0, exempt0), (joined1, exempt1)) => {
                    match joined(
                            async move { tokio::join!(joined0, joined1) },
                            exempt0 & exempt1,
                            how,
                        )
                        .await
                    {
                        Ok(value) => value,
                        Err(end) => return how.bail(end),
                    }
                }
            };
            {
                if let Some(end) = How::end_before(how) {
                    return how.bail(end);
                }
                let select = Select::new(how, false);
                tokio::select! {
                    value = select.branch(Awaited(load(3)).branch()) => println!("{}",
                    value ?), _ = select.guarded(Awaited(left()).branch()), if select
                    .enable(one.is_ok()) => return Ok(()), Some(end) = select.end() =>
                    return how.bail(end),
                }
            }
            println!(
                "{}", match leaf((load(4)).propagated_kind(), how). await { Ok(value) =>
                value, Err(end) => return how.bail(end), } ?
            );
            run!(do load(5));
            Ok(())
        }
    })
}
