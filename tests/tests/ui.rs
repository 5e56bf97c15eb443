//! Every message of the compiler that a user can meet, word for word.
//!
//! After a change, look at the new texts and accept them with `TRYBUILD=overwrite cargo test -p ctxprop-tests --test ui`.

#[test]
fn messages() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("ui/*/*.rs");
}
