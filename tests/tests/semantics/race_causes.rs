//! Which cause each context has when several race: rule 3.1.3 with threads that meet at a barrier.

use std::time::Duration;

use ctxprop::{Canceller, Cause, Ctx};

use crate::races::together;
use crate::support::{Rng, custom, root};

/// A node of a random tree: its context, what ends it, its own cause, and its parent.
pub(crate) struct Node {
    pub(crate) ctx: Ctx,
    pub(crate) canceller: Canceller,
    cause: Cause,
    pub(crate) parent: Option<usize>,
}

pub(crate) fn random_tree(rng: &mut Rng, size: usize) -> Vec<Node> {
    let mut tree: Vec<Node> = Vec::new();
    for n in 0..size {
        let parent = (n > 0).then(|| rng.below(n));
        let (ctx, canceller) = parent.map_or_else(root, |n| tree[n].ctx.clone()).with_cancel();
        tree.push(Node { ctx, canceller, cause: custom("its own"), parent });
    }
    tree
}

#[test]
fn rule_3_1_3_a_tree_of_100_cancelled_by_threads_in_random_order_ends_with_legal_causes() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let tree = random_tree(&mut rng, 100);
        let mut order: Vec<usize> = (0..100).collect();
        rng.shuffle(&mut order);
        let cancel = |part: &[usize]| {
            for n in part {
                tree[*n].canceller.cancel_with(tree[*n].cause.clone());
            }
        };
        together(|| cancel(&order[..50]), || cancel(&order[50..]));
        for (n, node) in tree.iter().enumerate() {
            let cause = node.ctx.cause().expect("all were cancelled");
            let inherited = node.parent.and_then(|parent| tree[parent].ctx.cause());
            assert!(
                cause == node.cause || Some(&cause) == inherited.as_ref(),
                "seed {seed}: node {n} has neither its own cause nor its parent's"
            );
        }
    }
}

// Fails where whoever comes second walks the children with the cause that lost.
#[test]
fn rule_3_1_3_of_two_causes_that_race_for_one_context_its_children_get_the_one_that_won() {
    for round in 0..300 {
        let (ctx, canceller) = root().with_cancel();
        let children: Vec<Ctx> = (0..2_000).map(|_| ctx.with_cancel().0).collect();
        let (one, two) = (custom("one"), custom("two"));
        together(|| canceller.cancel_with(one), || canceller.cancel_with(two));
        let won = ctx.cause();
        let others = children.iter().filter(|child| child.cause() != won).count();
        assert_eq!(others, 0, "round {round}: children with the cause that lost");
    }
}

// Fails where a walk from the parent that overtakes the child's own walk gives grandchildren the
// parent's cause, although their parent, the child, ended first and with another.
#[test]
fn rule_3_1_3_grandchildren_inherit_the_cause_of_the_child_that_ended_also_in_a_race() {
    for round in 0..300 {
        let (parent, end_parent) = root().with_cancel();
        let (child, end_child) = parent.with_cancel();
        let grandchildren: Vec<Ctx> = (0..2_000).map(|_| child.with_cancel().0).collect();
        let (one, two) = (custom("the child's"), custom("the parent's"));
        together(|| end_child.cancel_with(one), || end_parent.cancel_with(two));
        let inherited = child.cause();
        let strangers = grandchildren.iter().filter(|ctx| ctx.cause() != inherited).count();
        assert_eq!(
            strangers, 0,
            "round {round}: grandchildren whose cause is not that of their parent, {inherited:?}"
        );
    }
}

#[test]
fn rule_3_1_3_a_deadline_racing_a_cancel_gives_one_cause_to_all_who_look() {
    for round in 0..500 {
        let (parent, canceller) = root().with_timeout(Duration::from_micros(30)).with_cancel();
        let child = parent.with_value(1_u8).with_cancel().0;
        let look = || {
            while !child.is_done() {
                std::hint::spin_loop();
            }
            child.cause()
        };
        let (one, two) = together(look, || {
            (0..round % 7 * 50).for_each(|_| std::hint::spin_loop());
            canceller.cancel();
            (child.cause(), parent.cause())
        });
        assert!(one.is_some() && one == two.0, "{one:?}, {two:?}");
        assert_eq!(child.cause(), one, "it stays");
        assert_eq!(parent.cause(), two.1, "it stays");
    }
}
