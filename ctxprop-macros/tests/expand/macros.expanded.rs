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
            use AwaitedKind as _;
            #[allow(unused_imports)]
            use NoFuture as _;
            #[allow(unused_imports)]
            use {CannotBeSaid as _, CannotSayCancelled as _};
            let how = Returns::<Result<(), AppError>>::new().how();
            let (one, two) = match join(
                    &how,
                    false,
                    cons(
                        Awaited((load(1)).propagated_kind()).part(),
                        cons(Awaited((load(2)).propagated_kind()).part(), nil()),
                    ),
                )
                .await
            {
                (joined0, (joined1, ())) => {
                    (
                        match joined0 {
                            Ok(value) => value,
                            Err(end) => {
                                match end.say(&how) {
                                    ControlFlow::Continue(value) => value,
                                    ControlFlow::Break(end) => return how.bail(end),
                                }
                            }
                        },
                        match joined1 {
                            Ok(value) => value,
                            Err(end) => {
                                match end.say(&how) {
                                    ControlFlow::Continue(value) => value,
                                    ControlFlow::Break(end) => return how.bail(end),
                                }
                            }
                        },
                    )
                }
            };
            match tied(
                match {
                    #[allow(unused_imports)]
                    use CannotBeKept as _;
                    select(
                            &how,
                            false,
                            disabled([true, one.is_ok()]),
                            or(
                                Raced(Awaited(load(3)).branch()).kept(),
                                |_| true,
                                or(
                                    Raced(Awaited(left()).branch()).kept(),
                                    |_| true,
                                    nil().0,
                                ),
                            ),
                        )
                        .await
                } {
                    Ok(Some(chosen)) => {
                        match chosen {
                            Choice::Here(chosen) => {
                                match chosen {
                                    value => {
                                        match match () {
                                            () => println!("{}", value ?),
                                        } {
                                            #[allow(unreachable_code)]
                                            value => Ok(value),
                                        }
                                    }
                                }
                            }
                            Choice::There(Choice::Here(chosen)) => {
                                match chosen {
                                    _ => return Ok(()),
                                }
                            }
                        }
                    }
                    Ok(None) => none_left(),
                    Err(end) => Err(end.of_type()),
                },
            ) {
                Ok(value) => value,
                Err(end) => {
                    match end.say(&how) {
                        ControlFlow::Continue(value) => value,
                        ControlFlow::Break(end) => return how.bail(end),
                    }
                }
            }
            println!(
                "{}", match leaf((load(4)).propagated_kind(), & how). await { Ok(value)
                => value, Err(end) => return how.bail(end), } ?
            );
            run!(do load(5));
            Ok(())
        }
    })
}
