fn serve() -> NeedsCtx<impl Future<Output = <fn() -> ! as Gives>::Output>> {
    needs_ctx::<
        <fn() -> ! as Gives>::Output,
        _,
    >(async move {
        {
            #[allow(unused_imports)]
            use DeriveFromTheCurrentContext as _;
            #[allow(unused_imports)]
            use AwaitedKind as _;
            #[allow(unused_imports)]
            use {CannotBeSaid as _, CannotSayCancelled as _};
            let how = Returns::<<fn() -> ! as Gives>::Output>::new().how();
            loop {
                #[allow(clippy::unnecessary_semicolon)]
                match of_one_type(&how, leaf((next()).propagated_kind(), &how).await) {
                    Ok(value) => value,
                    Err(end) => {
                        match end.say(&how) {
                            ControlFlow::Continue(value) => value,
                            ControlFlow::Break(end) => end.never(),
                        }
                    }
                };
            }
        }
    })
}
