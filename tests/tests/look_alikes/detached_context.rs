//! `background()` and `todo()` of somebody else.

use ctxprop::propagate;

use super::root;

mod other {
    #[derive(Debug, Default, PartialEq)]
    pub(super) struct Ctx;

    impl Ctx {
        pub(super) fn background() -> Ctx {
            Ctx
        }
    }

    pub(super) trait Background {
        fn background() -> u8;
        fn todo(&self) -> u8 {
            2
        }
    }

    impl Background for u8 {
        fn background() -> u8 {
            1
        }
    }

    pub(super) mod nested {
        pub(in super::super) use super::Ctx as Context;
    }

    pub(super) fn background<T: Default>() -> T {
        T::default()
    }
}

macro_rules! of_a_macro {
    ($ctx:ty) => {
        <$ctx>::background()
    };
}

#[propagate]
async fn a_type_of_the_same_name() -> other::Ctx {
    use other::Ctx;
    Ctx::background()
}

#[propagate]
async fn under_an_alias_of_a_nested_module() -> other::Ctx {
    use other::nested::*;
    Context::background()
}

#[propagate]
async fn a_trait_of_the_same_name() -> u8 {
    use other::Background;
    u8::background() + <u8 as Background>::background() + 3_u8.todo()
}

#[propagate]
async fn a_function_of_the_same_name() -> u8 {
    use other::background;
    background::<u8>() + other::background::<u8>()
}

#[propagate]
async fn a_function_as_a_value() -> other::Ctx {
    let made: Option<other::Ctx> = None;
    made.unwrap_or_else(other::Ctx::background)
}

#[propagate]
async fn in_a_macro() -> other::Ctx {
    println!("{:?}", vec![other::Ctx::background()]);
    of_a_macro!(other::Ctx)
}

#[propagate]
async fn derived() -> bool {
    let ctx = ctxprop::Ctx::current();
    ctx.detach("a look-alike of a root").is_done() || ctx.child_span().is_done()
}

#[tokio::test]
async fn none_fires() {
    let ctx = &root();
    assert_eq!(a_type_of_the_same_name().with(ctx).await, other::Ctx);
    assert_eq!(under_an_alias_of_a_nested_module().with(ctx).await, other::Ctx);
    assert_eq!(a_trait_of_the_same_name().with(ctx).await, 4);
    assert_eq!(a_function_of_the_same_name().with(ctx).await, 0);
    assert_eq!(a_function_as_a_value().with(ctx).await, other::Ctx);
    assert_eq!(in_a_macro().with(ctx).await, other::Ctx);
    assert!(!derived().with(ctx).await);
}
