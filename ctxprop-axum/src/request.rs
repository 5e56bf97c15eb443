//! [`InFlight`]: a request over HTTP as its layer holds it, from its headers to the end of its response, or of the session that
//! its connection was upgraded to; and the span and the event that tell of it.
//!
//! # Invariants
//! 1. What is true of every request is so of this one ([`ctxprop_server::InFlight`]).
//! 2. It is small: it moves from the future into the body.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::MatchedPath;
use ctxprop::run::hop::HopSpan;
use ctxprop::wire::{self, Hop, Side};
use ctxprop::{Canceller, Cause, Ctx};
use ctxprop_server::{Admitted, Ends, Fate, Granted, Over, heard};
use http::{Method, Request, StatusCode};
use tokio::time::Instant;
use tracing::field;
use tracing::level_filters::LevelFilter;

use crate::serve::exchange::{Exchange, Open, Ticket};
use crate::service::Shared;

/// One request that is not over.
pub(crate) struct InFlight {
    any: ctxprop_server::InFlight<Told>,
    pub(crate) shared: Arc<Shared>,
    /// Its place among what its server has open, where that is ours.
    ticket: Option<Ticket>,
}

/// The request's span, and what its event says beyond what every request has.
pub(crate) struct Told {
    hop: HopSpan,
    method: Method,
    route: Option<MatchedPath>,
    began: Instant,
    status: Option<StatusCode>,
}

impl InFlight {
    /// The request that was `admitted`, of this `exchange` where the server is ours. Under another layer that one's span and
    /// event are enough.
    #[inline]
    pub(crate) fn new<B>(
        admitted: Admitted,
        request: &Request<B>,
        exchange: Option<&Exchange>,
        shared: Arc<Shared>,
    ) -> Self {
        let of_it = |hop| Told {
            hop,
            method: request.method().clone(),
            route: request.extensions().get::<MatchedPath>().cloned(),
            began: Instant::now(),
            status: None,
        };
        let any = ctxprop_server::InFlight::new(
            admitted,
            request.headers(),
            || name(request),
            |ctx, budget| heard(|| hop(ctx, request, budget), of_it),
        );
        let exchange = exchange.filter(|_| !any.is_nested());
        let ticket = exchange.map(|exchange| enter(exchange, any.ctx(), any.canceller(), request));
        InFlight { any, shared, ticket }
    }

    /// Where it came from, where the server is ours.
    pub(crate) fn exchange(&self) -> Option<&Exchange> {
        self.ticket.as_ref().map(Ticket::exchange)
    }

    /// What can end its context. A server of ours ends each of its requests as its connection goes; under another layer it is
    /// not known whose root it is.
    pub(crate) fn ends(&self) -> Ends {
        match &self.ticket {
            None if !self.is_nested() => Ends::With(self.ctx().deadline()),
            _ => Ends::Somehow,
        }
    }

    /// The response has begun. It may be what a handler made of the end that it was told of: then it has `unwound`.
    pub(crate) fn respond(&mut self, status: StatusCode, whose: Option<Granted>, unwound: bool) {
        if let Some(told) = self.told_mut() {
            told.status = Some(status);
        }
        self.answered(whose, unwound);
    }

    /// The connection is the handler's now. A server of ours keeps the request until that goes. Of others nothing here
    /// sees it go: the context lasts as long as somebody has it, until its deadline or the end of its root.
    pub(crate) fn upgrade(mut self) {
        match self.exchange().cloned() {
            Some(exchange) => {
                self.goes(Fate::Session);
                exchange.keep(self);
            }
            None => self.goes(Fate::Released),
        }
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
        let status = self.status.map(|status| i64::from(status.as_u16()));
        self.hop.over(status, cause);
        if LevelFilter::current() < LevelFilter::WARN {
            return;
        }
        let Told { hop, method, began, .. } = self;
        let route = self.route.as_ref().map(MatchedPath::as_str);
        let spent = began.elapsed();
        let left = left.map(field::debug);
        let trace_id = over.ctx.span().trace_id();
        let span = hop.span();
        macro_rules! tell {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    target: "ctxprop", parent: span, %method, route, status, %cause,
                    deadline, ?spent, left, %trace_id, $message
                )
            };
        }
        match over.fate {
            _ if std::thread::panicking() => tell!(warn, "a request's handler panicked"),
            Fate::Session if *cause == Cause::Finished => tell!(info, "a session is over"),
            Fate::Session => tell!(warn, "a session was cut short"),
            Fate::Whole => tell!(info, "a request is over"),
            Fate::Released => tell!(info, "a request's connection was upgraded"),
            Fate::Cut => tell!(warn, "a request was cut short"),
            Fate::Refused => tell!(warn, "a request was refused"),
        }
    }
}

/// Has the server count the request among what it has open.
fn enter<B>(exchange: &Exchange, ctx: &Ctx, canceller: &Canceller, request: &Request<B>) -> Ticket {
    exchange.begin(Open {
        ctx: ctx.clone(),
        canceller: canceller.clone(),
        method: request.method().clone(),
        route: request.extensions().get::<MatchedPath>().cloned(),
        began: Instant::now(),
    })
}

/// The method and the route, as far as it is known: where the layer is around the whole router, it is not.
fn name<B>(request: &Request<B>) -> String {
    let route = request.extensions().get::<MatchedPath>();
    format!("{} {}", request.method(), route.map_or("(no route)", MatchedPath::as_str))
}

fn hop<'a, B>(ctx: &'a Ctx, request: &'a Request<B>, budget: Option<Duration>) -> Hop<'a> {
    let (uri, route) = (request.uri(), request.extensions().get::<MatchedPath>());
    Hop {
        side: Side::Server,
        request: wire::Request::Http {
            method: request.method().as_str(),
            route: route.map(MatchedPath::as_str),
            scheme: uri.scheme_str(),
            host: None,
            port: None,
            path: uri.path(),
        },
        ctx,
        span: ctx.span(),
        budget,
    }
}
