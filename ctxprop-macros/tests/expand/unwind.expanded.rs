fn release(id: u64) -> NeedsCtx<impl Future<Output = Result<(), AppError>>> {
    needs_ctx::<
        Result<(), AppError>,
        _,
    >(async move {
        let id = id;
        {
            if false {
                return returned::<Result<(), AppError>>();
            }
            #[allow(unused_imports)]
            use DeriveFromTheCurrentContext as _;
            says_cancelled::<Result<(), AppError>>();
            Ok(())
        }
    })
}
