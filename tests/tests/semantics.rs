//! What contexts, scopes, leaves, shields and tasks promise, rule by rule (`docs/semantics.md`).
//!
//! A test is named after the rule it proves: `rule_3_1_4_…`. No test sleeps or measures wall-clock time: time is
//! tokio's paused clock, and what must happen is waited for by an event or polled by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic")]

#[path = "semantics/blocks.rs"]
mod blocks;
#[path = "semantics/budgets.rs"]
mod budgets;
#[path = "semantics/callbacks.rs"]
mod callbacks;
#[path = "semantics/cause_table.rs"]
mod cause_table;
#[path = "semantics/cleanup.rs"]
mod cleanup;
#[path = "semantics/contexts.rs"]
mod contexts;
#[path = "semantics/current.rs"]
mod current;
#[path = "semantics/deadlines.rs"]
mod deadlines;
#[path = "semantics/deferred.rs"]
mod deferred;
#[path = "semantics/drops.rs"]
mod drops;
#[path = "semantics/errors.rs"]
mod errors;
#[path = "semantics/examples.rs"]
mod examples;
#[path = "semantics/handed_on.rs"]
mod handed_on;
#[path = "semantics/joins.rs"]
mod joins;
#[path = "semantics/layers.rs"]
mod layers;
#[path = "semantics/leaves.rs"]
mod leaves;
#[path = "semantics/names.rs"]
mod names;
#[path = "semantics/names_followed.rs"]
mod names_followed;
#[path = "semantics/names_in_closures.rs"]
mod names_in_closures;
#[path = "semantics/race_causes.rs"]
mod race_causes;
#[path = "semantics/races.rs"]
mod races;
#[path = "semantics/ready.rs"]
mod ready;
#[path = "semantics/roots.rs"]
mod roots;
#[path = "semantics/selects.rs"]
mod selects;
#[path = "semantics/selects_fused.rs"]
mod selects_fused;
#[path = "semantics/selects_grammar.rs"]
mod selects_grammar;
#[path = "semantics/sessions.rs"]
mod sessions;
#[path = "semantics/shared.rs"]
mod shared;
#[path = "semantics/shields.rs"]
mod shields;
#[path = "semantics/shields_kept.rs"]
mod shields_kept;
#[path = "semantics/shields_limits.rs"]
mod shields_limits;
#[path = "semantics/shields_move.rs"]
mod shields_move;
#[path = "semantics/shields_select.rs"]
mod shields_select;
#[path = "semantics/shutdown.rs"]
mod shutdown;
#[path = "semantics/siblings.rs"]
mod siblings;
#[path = "semantics/sizes.rs"]
mod sizes;
#[path = "semantics/support.rs"]
mod support;
#[path = "semantics/tasks.rs"]
mod tasks;
#[path = "semantics/tokens.rs"]
mod tokens;
#[path = "semantics/trees.rs"]
mod trees;
#[path = "semantics/unwinding.rs"]
mod unwinding;
#[path = "semantics/values.rs"]
mod values;
#[path = "semantics/wakes.rs"]
mod wakes;
