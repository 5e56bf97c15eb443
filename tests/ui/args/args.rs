//! Each argument that is wrong has a message of its own, at its own token, all at once.

use ctxprop::propagate;

#[propagate(bugdet = "1s")]
async fn unknown() {}

#[propagate(budget = "1s", budget = "2s")]
async fn doubled() {}

#[propagate(budget = "soon", unwind = true)]
async fn wrong_values() -> Result<(), ctxprop::Cancelled> {
    Ok(())
}

#[propagate(budget = "0%")]
async fn no_share() {}

#[propagate(budget = "120%")]
async fn more_than_all() {}

#[propagate(budget = "0s")]
async fn no_time() {}

#[propagate(budget = 250)]
async fn no_unit() {}

#[propagate(budget)]
async fn no_budget() {}

#[propagate(ctx = context)]
async fn no_such_parameter(id: u64) {
    drop(id);
}

#[propagate(allow(detached_task))]
async fn no_reason() {}

#[propagate(allow(detached_task, reason = ""))]
async fn empty_reason() {}

#[propagate(allow(detached_tasks, reason = "typo"))]
async fn unknown_rule() {}

#[propagate(allow)]
async fn nothing_allowed() {}

#[propagate(crate = "not a path")]
async fn no_path() {}

#[propagate("250ms")]
async fn no_key() {}

#[propagate(timeout = "1s")]
async fn unknown_and_unlike() {}

#[propagate(span = 1)]
async fn no_name() {}

#[propagate(span("charge"))]
async fn no_list() {}

#[propagate(fields(id = 1))]
async fn no_span() {}

#[propagate(span, fields)]
async fn no_fields() {}

#[propagate(span, fields())]
async fn empty_fields() {}

#[propagate(span, fields(1))]
async fn no_field() {}

#[propagate(span, fields(id = ))]
async fn no_value() {}

#[propagate(span, fields(id id))]
async fn no_comma(id: u64) {
    drop(id);
}

#[propagate(span, fields(trace_id = 1))]
async fn taken_field() {}

#[propagate(span, span)]
async fn doubled_span() {}

#[propagate(boxed = "yes")]
async fn boxed_with_value() {}

#[propagate(allow())]
async fn empty_allow() {}

#[propagate(allow(detached_task, reason))]
async fn reason_without_text() {}

#[propagate(budget = )]
async fn budget_without_value() {}

#[propagate(budget "1s")]
async fn no_equals() {}

#[propagate(ctx = 1)]
async fn no_parameter() {}

#[propagate(unwind; budget = "1s")]
async fn no_list_at_all() {}

#[propagate(span, fields(parent_id = 1))]
async fn taken_field_of_the_parent() {}

fn main() {}
