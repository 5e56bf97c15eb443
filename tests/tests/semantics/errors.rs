//! `Cause` and `Cancelled` as errors (`docs/semantics.md`, 3.4).

use std::error::Error;
use std::io;
use std::time::Duration;

use ctxprop::{Cancelled, Cause};
use http::StatusCode;

use crate::support::{root, secs};

#[derive(Debug)]
struct Outer(io::Error);

impl std::fmt::Display for Outer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the disk said no")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn every_cause() -> [(Cause, u16, &'static str); 6] {
    let outer = Cause::from(Outer(io::Error::other("bad sector")));
    [
        (Cause::Cancelled, 499, "cancelled"),
        (Cause::DeadlineExceeded, 504, "deadline"),
        (Cause::Disconnected, 499, "disconnected"),
        (Cause::Finished, 499, "over"),
        (Cause::Shutdown, 503, "shutting down"),
        (outer, 503, "the disk said no"),
    ]
}

#[test]
fn rule_3_4_2_each_cause_has_its_status_and_its_words() {
    for (cause, status, words) in every_cause() {
        let cancelled = Cancelled::new(cause.clone());
        assert_eq!(cause.http_status().as_u16(), status, "{cause:?}");
        assert_eq!(cancelled.http_status().as_u16(), status, "{cause:?}");
        assert!(cause.to_string().contains(words), "{cause}");
        assert!(cancelled.to_string().contains(words), "{cancelled}");
        assert_eq!(cancelled.cause(), &cause);
        assert_eq!(cancelled.is_deadline(), status == 504);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_4_3_the_text_of_a_deadline_tells_the_budget() {
    let ctx = root().with_timeout(secs(10)).with_timeout(Duration::from_millis(250));
    tokio::time::advance(secs(3)).await;
    let cancelled = ctx.with_value(1_u8).child_span().check().unwrap_err();
    assert_eq!(cancelled.budget(), Some(Duration::from_millis(250)));
    assert!(cancelled.to_string().contains("250ms"), "{cancelled}");
    let shared = root().with_timeout(secs(10)).with_budget_share(0.5);
    tokio::time::advance(secs(5)).await;
    assert!(shared.check().unwrap_err().to_string().contains("5s"));
}

#[test]
fn rule_3_4_3_other_causes_tell_no_budget() {
    let (ctx, canceller) = root().with_timeout(secs(10)).with_cancel();
    canceller.cancel();
    let cancelled = ctx.check().unwrap_err();
    assert_eq!(cancelled.budget(), None);
    assert!(!cancelled.to_string().contains("10s"), "{cancelled}");
}

#[test]
fn rule_3_4_4_the_source_of_a_custom_cause_is_the_errors_own_and_no_text_comes_twice() {
    for (cause, ..) in every_cause() {
        let is_custom = matches!(cause, Cause::Custom(_));
        let cancelled = Cancelled::new(cause);
        let source = cancelled.source().map(ToString::to_string);
        assert_eq!(source, is_custom.then(|| "bad sector".to_owned()));
    }
}

#[test]
fn rule_3_4_5_any_error_becomes_a_cause_and_cancelled_keeps_the_one_it_has() {
    let cause = Cause::from(Outer(io::Error::other("x")));
    let Cause::Custom(error) = &cause else { panic!("{cause:?}") };
    assert!(error.downcast_ref::<Outer>().is_some(), "the error is still of its type");
    assert_eq!(Cause::from(Cancelled::new(Cause::Finished)), Cause::Finished);
    assert_eq!(Cause::from(Cancelled::new(cause.clone())), cause);
    assert_ne!(Cause::from(Outer(io::Error::other("x"))), cause, "another error");
    assert_eq!(Cause::Shutdown, Cause::Shutdown);
    assert_ne!(Cause::Shutdown, Cause::Finished);
}

#[test]
fn rule_3_4_6_conversion_to_io_error() {
    for (cause, ..) in every_cause() {
        let expected = match cause {
            Cause::DeadlineExceeded => io::ErrorKind::TimedOut,
            Cause::Disconnected => io::ErrorKind::ConnectionAborted,
            _ => io::ErrorKind::Other,
        };
        let error = io::Error::from(Cancelled::new(cause.clone()));
        assert_eq!(error.kind(), expected);
        let inner = error.get_ref().unwrap().downcast_ref::<Cancelled>();
        assert_eq!(inner.map(Cancelled::cause), Some(&cause));
    }
}

#[test]
fn rule_3_4_6_conversion_to_status_and_text() {
    for (cause, status, words) in every_cause() {
        let cancelled = Cancelled::new(cause);
        assert_eq!(StatusCode::from(cancelled.clone()).as_u16(), status);
        let (code, text) = <(StatusCode, String)>::from(cancelled.clone());
        assert_eq!((code.as_u16(), text), (status, cancelled.to_string()));
        assert!(cancelled.to_string().contains(words));
    }
}

#[test]
fn rule_3_4_6_conversion_to_boxed_errors() {
    fn sync() -> Result<(), Box<dyn Error + Send + Sync>> {
        Err(Cancelled::new(Cause::Shutdown))?
    }
    fn plain() -> Result<(), Box<dyn Error>> {
        Err(Cancelled::new(Cause::Shutdown))?
    }
    let error = sync().unwrap_err();
    assert_eq!(error.downcast_ref::<Cancelled>().unwrap().cause(), &Cause::Shutdown);
    assert!(plain().unwrap_err().is::<Cancelled>());
}

#[test]
fn rule_3_4_1_cancelled_is_a_good_error_type() {
    fn good<T: Error + Clone + Eq + Send + Sync + 'static>() {}
    good::<Cancelled>();
}

#[test]
fn rule_3_4_4_an_end_is_found_behind_the_errors_of_others() {
    let io = io::Error::from(Cancelled::new(Cause::Shutdown));
    assert_eq!(Cancelled::find_in(&io).map(Cancelled::cause), Some(&Cause::Shutdown));
    let outer = Outer(io);
    assert_eq!(Cancelled::find_in(&outer).map(Cancelled::cause), Some(&Cause::Shutdown));
    assert_eq!(Cancelled::find_in(&Outer(io::Error::other("bad sector"))), None);
}

#[test]
fn rule_3_4_5_a_cause_becomes_a_cancelled() {
    let cancelled = Cancelled::from(Cause::Disconnected);
    assert_eq!((cancelled.cause(), cancelled.budget()), (&Cause::Disconnected, None));
}

#[test]
fn rule_3_4_6_conversion_to_anyhow_and_to_an_axum_response() {
    fn fails() -> anyhow::Result<()> {
        Err(Cancelled::new(Cause::Shutdown))?
    }
    assert_eq!(fails().unwrap_err().downcast_ref::<Cancelled>().unwrap().cause(), &Cause::Shutdown);
    for (cause, status, _) in every_cause() {
        let response = axum::response::Response::from(Cancelled::new(cause));
        assert_eq!(response.status().as_u16(), status);
    }
}
