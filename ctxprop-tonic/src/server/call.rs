//! [`InFlight`]: a call of gRPC as its layer holds it, from its headers to its trailers; and the span and the event that tell of
//! it. What is true of every request is so of this one ([`ctxprop_server::InFlight`]).

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use ctxprop::Ctx;
use ctxprop::run::hop::HopSpan;
use ctxprop::wire::{self, Hop, Side};
use ctxprop_server::{Admitted, Fate, Granted, Over, heard};
use http::{Request, Uri};
use tokio::time::Instant;
use tonic::{Code, Status};
use tracing::field;
use tracing::level_filters::LevelFilter;

use super::service::Shared;

/// One call that is not over.
pub(crate) struct InFlight {
    any: ctxprop_server::InFlight<Told>,
    pub(crate) shared: Arc<Shared>,
}

/// The call's span, and what its event says beyond what every request has.
pub(crate) struct Told {
    hop: HopSpan,
    uri: Uri,
    began: Instant,
    status: Option<Code>,
}

impl InFlight {
    /// The call that was `admitted`. Under another layer that one's span and event are enough.
    #[inline]
    pub(crate) fn new<B>(admitted: Admitted, request: &Request<B>, shared: Arc<Shared>) -> Self {
        let uri = request.uri();
        let of_it = |hop| Told { hop, uri: uri.clone(), began: Instant::now(), status: None };
        let any = ctxprop_server::InFlight::new(
            admitted,
            request.headers(),
            // The path of a call is its service and its method.
            || uri.path().to_owned(),
            |ctx, budget| heard(|| hop(ctx, uri, budget), of_it),
        );
        InFlight { any, shared }
    }

    /// The budget was none that gRPC knows.
    pub(crate) fn refuse_malformed(&mut self) -> Status {
        self.goes(Fate::Refused);
        Status::invalid_argument("grpc-timeout is not one line of 1 to 8 digits and one of HMSmun")
    }

    /// How the call ended is known.
    #[inline]
    pub(crate) fn respond(&mut self, status: Code, whose: Option<Granted>) {
        if let Some(told) = self.told_mut() {
            told.status = Some(status);
        }
        self.answered(whose, false);
    }
}

impl Deref for InFlight {
    type Target = ctxprop_server::InFlight<Told>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.any
    }
}

impl DerefMut for InFlight {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.any
    }
}

impl ctxprop_server::Told for Told {
    fn hop(&self) -> &HopSpan {
        &self.hop
    }

    #[cold]
    fn tell(&mut self, over: &Over<'_>) {
        let Over { cause, deadline, left, .. } = over;
        let status = self.status.map(|status| i64::from(status as i32));
        self.hop.over(status, cause);
        if LevelFilter::current() < LevelFilter::WARN {
            return;
        }
        let Told { hop, uri, began, .. } = self;
        let (service, method) = crate::names(uri.path());
        let spent = began.elapsed();
        let left = left.map(field::debug);
        let trace_id = over.ctx.span().trace_id();
        let span = hop.span();
        macro_rules! tell {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    target: "ctxprop", parent: span, service, method, status, %cause,
                    deadline, ?spent, left, %trace_id, $message
                )
            };
        }
        match over.fate {
            _ if std::thread::panicking() => tell!(warn, "a call's handler panicked"),
            Fate::Cut => tell!(warn, "a call was cut short"),
            Fate::Refused => tell!(warn, "a call was refused"),
            // No call is upgraded.
            Fate::Whole | Fate::Released | Fate::Session => tell!(info, "a call is over"),
        }
    }
}

fn hop<'a>(ctx: &'a Ctx, uri: &'a Uri, budget: Option<Duration>) -> Hop<'a> {
    let (service, method) = crate::names(uri.path());
    let request = wire::Request::Grpc { service, method, host: None, port: None };
    Hop { side: Side::Server, request, ctx, span: ctx.span(), budget }
}
