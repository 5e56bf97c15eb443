//! Hops recorded directly, for this thread alone: the recorder is the process's, and asks here whose tracer it is to be.

use std::cell::RefCell;
use std::sync::{LazyLock, Once};

use ctxprop_otel::opentelemetry::Context;
use ctxprop_otel::opentelemetry::trace::{SpanBuilder, Tracer, TracerProvider};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span};

thread_local! {
    static TRACER: RefCell<Option<SdkTracer>> = const { RefCell::new(None) };
}

/// Of a provider that is shut down, which starts nothing: as if nobody recorded.
static NOBODYS: LazyLock<SdkTracer> = LazyLock::new(|| {
    let provider = SdkTracerProvider::builder().build();
    provider.shutdown().unwrap();
    provider.tracer("nobody's")
});

#[derive(Debug)]
struct Here;

impl Tracer for Here {
    type Span = Span;

    fn build_with_context(&self, builder: SpanBuilder, parent: &Context) -> Span {
        let tracer = TRACER.with_borrow(Clone::clone).unwrap_or_else(|| NOBODYS.clone());
        tracer.build_with_context(builder, parent)
    }
}

/// Has the hops of this thread recorded by `tracer`, or by nobody.
pub(crate) fn record(tracer: Option<SdkTracer>) {
    static ONCE: Once = Once::new();
    if tracer.is_some() {
        ONCE.call_once(|| {
            assert!(ctxprop_otel::record_hops(Here));
            assert!(!ctxprop_otel::record_hops(Here), "it is there");
        });
    }
    // At the end of a thread there is nothing to take back.
    TRACER.try_with(|here| here.replace(tracer)).ok();
}
