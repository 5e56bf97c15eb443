//! Tests of the whole of ctxprop. The suites are under `tests/`.
