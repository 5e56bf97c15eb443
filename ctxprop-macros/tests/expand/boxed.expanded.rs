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
                use Kind as _;
                #[allow(unused_imports)]
                use CannotSayCancelled as _;
                let how = Returns::<u32>::new().how();
                (match leaf((walk(tree.left())).propagated_kind(), how).await {
                    Ok(value) => value,
                    Err(end) => return how.bail(end),
                }) + 1
            }
        }),
    )
}
