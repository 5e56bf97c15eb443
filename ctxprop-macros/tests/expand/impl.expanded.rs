impl Store for Memory {
    fn get(
        &self,
        key: &str,
    ) -> NeedsCtx<impl Future<Output = Result<String, AppError>>> {
        needs_ctx::<
            Result<String, AppError>,
            _,
        >(async move {
            let _ = &self;
            let key = key;
            {
                if false {
                    return returned::<Result<String, AppError>>();
                }
                #[allow(unused_imports)]
                use DeriveFromTheCurrentContext as _;
                #[allow(unused_imports)]
                use AwaitedKind as _;
                says_cancelled::<Result<String, AppError>>();
                #[allow(unused_imports)]
                use {CannotBeSaid as _, CannotSayCancelled as _};
                let how = Returns::<Result<String, AppError>>::new().how();
                match of_one_type(
                    &how,
                    leaf((self.find(key)).propagated_kind(), &how).await,
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
        })
    }
    async fn left(&self) -> u32 {
        self.size().await
    }
    fn plain(&self) -> u32 {
        3
    }
}
