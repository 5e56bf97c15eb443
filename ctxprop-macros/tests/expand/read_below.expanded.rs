#[exported]
impl Service {
    async fn load(&self, ctx: &Ctx) -> u32 {
        scope::<
            u32,
            _,
        >(
                Clone::clone(ctx),
                async move {
                    let _ = &self;
                    #[allow(unused_variables, unused_mut)]
                    let ctx = ctx;
                    {
                        if false {
                            return returned::<u32>();
                        }
                        #[allow(unused_imports)]
                        use DeriveFromTheCurrentContext as _;
                        1
                    }
                },
            )
            .await
    }
}
#[exported]
async fn load(ctx: &Ctx) -> u32 {
    scope::<
        u32,
        _,
    >(
            Clone::clone(ctx),
            async move {
                #[allow(unused_variables, unused_mut)]
                let ctx = ctx;
                {
                    if false {
                        return returned::<u32>();
                    }
                    #[allow(unused_imports)]
                    use DeriveFromTheCurrentContext as _;
                    1
                }
            },
        )
        .await
}
#[must_use]
#[allow(clippy::should_implement_trait)]
#[allow(clippy::double_must_use)]
fn add(ctx: &Ctx) -> impl Future<Output = u32> {
    scope::<
        u32,
        _,
    >(
        Clone::clone(ctx),
        async move {
            #[allow(unused_variables, unused_mut)]
            let ctx = ctx;
            {
                if false {
                    return returned::<u32>();
                }
                #[allow(unused_imports)]
                use DeriveFromTheCurrentContext as _;
                1
            }
        },
    )
}
