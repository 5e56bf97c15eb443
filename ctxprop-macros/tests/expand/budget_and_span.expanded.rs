fn charge(
    id: u64,
    amount: Amount,
) -> NeedsCtx<impl Future<Output = Result<(), AppError>>> {
    needs_ctx::<
        Result<(), AppError>,
        _,
    >(
        in_span::<
            Result<(), AppError>,
            _,
            _,
        >(
            None,
            |parent: &Ctx| Ctx::child_span(&Budget::Share(0.4f64).of(parent)),
            async move {
                let id = id;
                let amount = amount;
                {
                    if false {
                        return returned::<Result<(), AppError>>();
                    }
                    open_span(
                        tracing::info_span!(
                            "charge", trace_id = % trace_id(), span_id = % span_id(),
                            parent_id = parent_id(), id, amount = % amount
                        ),
                    );
                    #[allow(unused_imports)]
                    use DeriveFromTheCurrentContext as _;
                    #[allow(unused_imports)]
                    use AwaitedKind as _;
                    #[allow(unused_imports)]
                    use {CannotBeSaid as _, CannotSayCancelled as _};
                    let how = Returns::<Result<(), AppError>>::new().how();
                    match of_one_type(
                        &how,
                        leaf((pay(id, amount)).propagated_kind(), &how).await,
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
            },
        ),
    )
}
