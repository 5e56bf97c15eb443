//! Propagators as formats: a good one, and one that panics.

use std::sync::LazyLock;

use ctxprop_otel::PropagatorFormat;
use ctxprop_otel::opentelemetry::Context;
use ctxprop_otel::opentelemetry::propagation::text_map_propagator::FieldIter;
use ctxprop_otel::opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry_zipkin::{B3Encoding, Propagator};

pub(crate) static B3: LazyLock<PropagatorFormat<Propagator>> =
    LazyLock::new(|| PropagatorFormat::new(Propagator::with_encoding(B3Encoding::SingleHeader)));

pub(crate) static PANICS: LazyLock<PropagatorFormat<Panics>> =
    LazyLock::new(|| PropagatorFormat::new(Panics));

#[derive(Debug)]
pub(crate) struct Panics;

impl TextMapPropagator for Panics {
    fn inject_context(&self, _: &Context, _: &mut dyn Injector) {
        panic!("while writing");
    }

    fn extract_with_context(&self, _: &Context, extractor: &dyn Extractor) -> Context {
        assert!(extractor.keys().is_empty(), "while reading");
        Context::new()
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&[])
    }
}
