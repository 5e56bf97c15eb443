trait Store {
    fn get(&self, key: &str) -> NeedsCtx<impl Future<Output = Option<String>> + Send>;
    fn has(&self, key: &str) -> NeedsCtx<impl Future<Output = bool> + Send>
    where
        Self: Sync,
    {
        needs_ctx::<
            bool,
            _,
        >(async move {
            let _ = &self;
            let key = key;
            {
                if false {
                    return returned::<bool>();
                }
                #[allow(unused_imports)]
                use DeriveFromTheCurrentContext as _;
                #[allow(unused_imports)]
                use AwaitedKind as _;
                #[allow(unused_imports)]
                use {CannotBeSaid as _, CannotSayCancelled as _};
                let how = Returns::<bool>::new().how();
                match of_one_type(
                    &how,
                    leaf((self.get(key)).propagated_kind(), &how).await,
                ) {
                    Ok(value) => value,
                    Err(end) => {
                        match end.say(&how) {
                            ControlFlow::Continue(value) => value,
                            ControlFlow::Break(end) => return how.bail(end),
                        }
                    }
                }
                    .is_some()
            }
        })
    }
    fn named(&self, ctx: &Ctx) -> impl Future<Output = u32> + Send;
}
