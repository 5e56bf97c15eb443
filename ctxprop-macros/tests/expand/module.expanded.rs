mod handlers {
    #[allow(clippy::async_yields_async)]
    pub fn get(id: u64) -> NeedsCtx<impl Future<Output = Response>> {
        needs_ctx::<
            Response,
            _,
        >(async move {
            let id = id;
            {
                if false {
                    return returned::<Response>();
                }
                #[allow(unused_imports)]
                use DeriveFromTheCurrentContext as _;
                #[allow(unused_imports)]
                use AwaitedKind as _;
                #[allow(unused_imports)]
                use {CannotBeSaid as _, CannotSayCancelled as _};
                let how = Returns::<Response>::new().how();
                match of_one_type(&how, leaf((find(id)).propagated_kind(), &how).await) {
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
    pub struct Cart;
    impl Cart {
        fn clear(&mut self) -> NeedsCtx<impl Future<Output = ()>> {
            needs_ctx::<
                (),
                _,
            >(async move {
                let _ = &self;
                {
                    if false {
                        return returned::<()>();
                    }
                    #[allow(unused_imports)]
                    use DeriveFromTheCurrentContext as _;
                }
            })
        }
    }
    #[tokio::test]
    async fn a_test() {
        get(1).with(&Ctx::background()).await;
    }
}
