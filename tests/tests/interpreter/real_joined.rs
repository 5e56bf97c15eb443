//! Functions around a real `join!`, `try_join!` or `select!`, one for each shape: which kinds of branches, in which order.
//!
//! A branch is a letter: `c` a call that can say `Cancelled`, `m` one that cannot, `f` and `g` the same for foreign
//! futures, `s` a shield, `b` an async block.

use ctxprop::{Ctx, propagate};

use super::events::{Event, Notes};
use super::program::{Function, Joined, Shield, Thing};
use super::real::{Error, Foreign, Said, ms, mute, says, sleep};

impl Joined {
    fn call(&self, n: usize) -> &Function {
        match &self.branches[n] {
            Thing::Call(function) => function,
            Thing::Block(things) => match &things[..] {
                [Thing::Call(function)] => function,
                _ => unreachable!("a block around a call"),
            },
            _ => unreachable!("a call"),
        }
    }

    fn shield(&self, n: usize) -> &Shield {
        match &self.branches[n] {
            Thing::Shield(shield) => shield,
            _ => unreachable!("a shield"),
        }
    }

    fn gave(&self, notes: &Notes, n: u8, value: impl Said) {
        notes.note(Event::Gave(self.id, n, value.said()));
    }
}

/// Reads letters as branches, each with a name and its number, and gives them to `$make`, which makes a function of them.
/// A real macro inside is what `#[propagate]` sees then, with the branches written out.
macro_rules! shape {
    ($make:ident $names:tt $name:ident [$($branch:tt)*]) => {
        $make! { $names $name $($branch)* }
    };
    ($make:ident $names:tt $name:ident $done:tt c $($rest:tt)*) => {
        shape! { @ $make $names $name $done $names call says $($rest)* }
    };
    ($make:ident $names:tt $name:ident $done:tt m $($rest:tt)*) => {
        shape! { @ $make $names $name $done $names call mute $($rest)* }
    };
    ($make:ident $names:tt $name:ident $done:tt f $($rest:tt)*) => {
        shape! { @ $make $names $name $done $names foreign Error $($rest)* }
    };
    ($make:ident $names:tt $name:ident $done:tt g $($rest:tt)*) => {
        shape! { @ $make $names $name $done $names foreign Foreign $($rest)* }
    };
    ($make:ident $names:tt $name:ident $done:tt s $($rest:tt)*) => {
        shape! { @ $make $names $name $done $names shield says $($rest)* }
    };
    ($make:ident $names:tt $name:ident $done:tt b $($rest:tt)*) => {
        shape! { @ $make $names $name $done $names block says $($rest)* }
    };
    (@ $make:ident $names:tt $name:ident [$($done:tt)*] ($notes:ident $join:ident $($_:tt)*) call $f:ident
        $value:ident $n:literal $($rest:tt)*
    ) => {
        shape! { $make $names $name [$($done)* ($value $n { $f($notes, $join.call($n)) })] $($rest)* }
    };
    (@ $make:ident $names:tt $name:ident [$($done:tt)*] ($notes:ident $join:ident $($_:tt)*) foreign $E:ident
        $value:ident $n:literal $($rest:tt)*
    ) => {
        shape! { $make $names $name [$($done)* ($value $n { sleep($notes, &$join.branches[$n], $E) })] $($rest)* }
    };
    (@ $make:ident $names:tt $name:ident [$($done:tt)*] ($notes:ident $join:ident $($_:tt)*) shield $f:ident
        $value:ident $n:literal $($rest:tt)*
    ) => {
        shape! { $make $names $name [$($done)* ($value $n {
            Ctx::current().shield(ms($join.shield($n).limit), $f($notes, &$join.shield($n).work))
        })] $($rest)* }
    };
    (@ $make:ident $names:tt $name:ident [$($done:tt)*] ($notes:ident $join:ident $($_:tt)*) block $f:ident
        $value:ident $n:literal $($rest:tt)*
    ) => {
        shape! { $make $names $name [$($done)* ($value $n {
            async { $f($notes, $join.call($n)).await }
        })] $($rest)* }
    };
}

macro_rules! join {
    (($notes:ident $join:ident $Error:ident $call:ident) $name:ident $(($value:ident $n:literal { $($branch:tt)* }))+) => {
        #[propagate(boxed)]
        async fn $name($notes: &Notes, $join: &Joined) -> Result<(), $Error> {
            let _ = $call($notes, &$join.before).await;
            let ($($value,)+) = tokio::join!(biased; $($($branch)*),+);
            $($join.gave($notes, $n, $value);)+
            $notes.gave($join.id, Ok(()));
            $call($notes, &$join.after).await
        }
    };
}

macro_rules! try_join {
    (($notes:ident $join:ident $Error:ident $call:ident) $name:ident $(($value:ident $n:literal { $($branch:tt)* }))+) => {
        #[propagate(boxed)]
        async fn $name($notes: &Notes, $join: &Joined) -> Result<(), $Error> {
            let _ = $call($notes, &$join.before).await;
            let first = tokio::try_join!(biased; $($($branch)*),+);
            $notes.gave($join.id, first.map(drop).said());
            $call($notes, &$join.after).await
        }
    };
}

macro_rules! select {
    (($notes:ident $join:ident $Error:ident $call:ident) $name:ident $(($value:ident $n:literal { $($branch:tt)* }))+) => {
        #[propagate(boxed)]
        async fn $name($notes: &Notes, $join: &Joined) -> Result<(), $Error> {
            let _ = $call($notes, &$join.before).await;
            let selected: Result<(), Error> = tokio::select! {
                biased;
                $($value = $($branch)* => {
                    $join.gave($notes, $n, $value);
                    says($notes, &$join.handlers[$n]).await
                })+
            };
            $notes.gave($join.id, selected.said());
            $call($notes, &$join.after).await
        }
    };
}

macro_rules! unit {
    (($notes:ident $join:ident $Error:ident $call:ident) $name:ident $(($value:ident $n:literal { $($branch:tt)* }))+) => {
        #[propagate(boxed)]
        async fn $name($notes: &Notes, $join: &Joined) -> Result<(), $Error> {
            let _ = $call($notes, &$join.before).await;
            tokio::select! {
                biased;
                $($value = $($branch)* => {
                    $join.gave($notes, $n, $value);
                    says($notes, &$join.handlers[$n]).await?
                })+
            }
            $notes.gave($join.id, Ok(()));
            $call($notes, &$join.after).await
        }
    };
}

/// The functions of some shapes, and one that calls them.
macro_rules! shapes {
    ($joined:ident $SHAPES:ident $names:tt $($make:ident $name:ident [$($letters:tt)*];)*) => {
        $(shape! { $make $names $name [] $($letters)* })*

        pub(crate) const $SHAPES: &[&str] = &[$(stringify!($name)),*];

        shapes! { @ $joined $names $($name)* }
    };
    (@ $joined:ident ($notes:ident $join:ident $Error:ident $call:ident) $($name:ident)*) => {
        #[propagate(boxed)]
        pub(crate) async fn $joined($notes: &Notes, $join: &Joined) -> Result<(), $Error> {
            match $join.shape {
                $(stringify!($name) => $name($notes, $join).await,)*
                _ => unreachable!("there is no such shape"),
            }
        }
    };
}

shapes! {
    joined_says SAYS (notes join Error says)
    join join_cc [c a 0 c b 1];
    join join_cf [c a 0 f b 1];
    join join_cg [c a 0 g b 1];
    join join_cm [c a 0 m b 1];
    join join_cs [c a 0 s b 1];
    join join_cb [c a 0 b b 1];
    join join_fc [f a 0 c b 1];
    join join_gc [g a 0 c b 1];
    join join_mc [m a 0 c b 1];
    join join_mm [m a 0 m b 1];
    join join_bm [b a 0 m b 1];
    join join_sc [s a 0 c b 1];
    join join_sf [s a 0 f b 1];
    join join_sg [s a 0 g b 1];
    join join_ss [s a 0 s b 1];
    join join_ff [f a 0 f b 1];
    join join_ccc [c a 0 c b 1 c d 2];
    join join_scf [s a 0 c b 1 f d 2];
    join join_gcs [g a 0 c b 1 s d 2];
    join join_mfc [m a 0 f b 1 c d 2];
    try_join try_join_cc [c a 0 c b 1];
    try_join try_join_cf [c a 0 f b 1];
    try_join try_join_fc [f a 0 c b 1];
    try_join try_join_cb [c a 0 b b 1];
    try_join try_join_ff [f a 0 f b 1];
    try_join try_join_mm [m a 0 m b 1];
    try_join try_join_mg [m a 0 g b 1];
    try_join try_join_ccc [c a 0 c b 1 c d 2];
    try_join try_join_fcb [f a 0 c b 1 b d 2];
    select select_cc [c a 0 c b 1];
    select select_cf [c a 0 f b 1];
    select select_gc [g a 0 c b 1];
    select select_cm [c a 0 m b 1];
    select select_cs [c a 0 s b 1];
    select select_sc [s a 0 c b 1];
    select select_bc [b a 0 c b 1];
    select select_ss [s a 0 s b 1];
    select select_fcc [f a 0 c b 1 c d 2];
    select select_csm [c a 0 s b 1 m d 2];
    unit unit_cc [c a 0 c b 1];
    unit unit_cf [c a 0 f b 1];
    unit unit_gs [g a 0 s b 1];
    unit unit_mc [m a 0 c b 1];
    unit unit_ccb [c a 0 c b 1 b d 2];
}

shapes! {
    joined_mute MUTE (notes join Foreign mute)
    join mute_join_cc [c a 0 c b 1];
    join mute_join_cg [c a 0 g b 1];
    join mute_join_cm [c a 0 m b 1];
    join mute_join_cs [c a 0 s b 1];
}
