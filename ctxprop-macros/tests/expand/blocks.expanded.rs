fn blocks() -> NeedsCtx<impl Future<Output = ()>> {
    needs_ctx::<
        (),
        _,
    >(async move {
        {
            if false {
                return returned::<()>();
            }
            #[allow(unused_imports)]
            use DeriveFromTheCurrentContext as _;
            #[allow(unused_imports)]
            use AwaitedKind as _;
            #[allow(unused_imports)]
            use NoFuture as _;
            #[allow(unused_imports)]
            use {CannotBeSaid as _, CannotSayCancelled as _};
            let how = Returns::<()>::new().how();
            #[allow(unused_mut, unused_variables, unused_assignments)]
            let mut ctx_of_a_closure_without_move = Ctx::current();
            let block = block_here(async { Awaited(load(1)).branch().await });
            let closure = |n| block_called(
                &ctx_of_a_closure_without_move,
                async move { Awaited(load(n)).branch().await },
            );
            let asynchronous = async |n| {
                block_called(
                        &ctx_of_a_closure_without_move,
                        async {
                            let n = n;
                            Awaited(load(n)).branch().await
                        },
                    )
                    .await
            };
            #[allow(clippy::unnecessary_semicolon)]
            match of_one_type(&how, leaf((block).propagated_kind(), &how).await) {
                Ok(value) => value,
                Err(end) => {
                    match end.say(&how) {
                        ControlFlow::Continue(value) => value,
                        ControlFlow::Break(end) => return how.bail(end),
                    }
                }
            };
        }
    })
}
