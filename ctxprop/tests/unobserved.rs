//! What happens where nobody observes. Alone in its process: the tests beside it would be observers.

#![cfg(feature = "observe")]

use ctxprop::run::request::Request;
use ctxprop::{Background, Ctx};

#[test]
fn a_request_is_asked_for_its_name_only_where_somebody_is_told() {
    let ctx = Ctx::background();
    drop(Request::begins(&ctx, || panic!("nobody is told")));
}
