fn walk(tree: &Tree) -> NeedsCtx<BoxFuture<'_, u32>> {
    NeedsCtx::new(
        boxed::<
            u32,
            _,
        >(async move {
            let tree = tree;
            {
                if false {
                    return returned::<u32>();
                }
                #[allow(unused_imports)]
                use DeriveFromTheCurrentContext as _;
                #[allow(unused_imports)]
                use AwaitedKind as _;
                #[allow(unused_imports)]
                use {CannotBeSaid as _, CannotSayCancelled as _};
                let how = Returns::<u32>::new().how();
                (match of_one_type(
                    &how,
                    leaf((walk(tree.left())).propagated_kind(), &how).await,
                ) {
                    Ok(value) => value,
                    Err(end) => {
                        match end.say(&how) {
                            ControlFlow::Continue(value) => value,
                            ControlFlow::Break(end) => return how.bail(end),
                        }
                    }
                }) + 1
            }
        }),
    )
}
