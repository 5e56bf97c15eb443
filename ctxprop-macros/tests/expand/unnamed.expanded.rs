fn load(
    id: u64,
    arg1: (u32, u32),
) -> NeedsCtx<impl Future<Output = Result<String, AppError>>> {
    needs_ctx::<
        Result<String, AppError>,
        _,
    >(async move {
        let id = id;
        let arg1 = arg1;
        let (one, _) = arg1;
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
            let row = match leaf((query(id)).propagated_kind(), &how).await {
                Ok(value) => value,
                Err(end) => return how.bail(end),
            }?;
            Ok(format!("{row}{one}"))
        }
    })
}
