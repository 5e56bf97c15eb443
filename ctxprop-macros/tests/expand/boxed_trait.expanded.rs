trait Store: Send + Sync {
    fn get<'propagated, 'borrowed0: 'propagated, 'borrowed1: 'propagated>(
        &'borrowed0 self,
        key: &'borrowed1 str,
    ) -> NeedsCtx<BoxFuture<'propagated, Option<&'borrowed0 str>>>
    where
        Self: 'propagated;
    fn size(&self) -> NeedsCtx<BoxFuture<'_, u32>>;
    #[allow(clippy::must_use_candidate)]
    fn named<'propagated, 'borrowed0: 'propagated, 'borrowed1: 'propagated>(
        &'borrowed0 self,
        ctx: &'borrowed1 Ctx,
    ) -> BoxFuture<'propagated, u32>
    where
        Self: 'propagated;
}
