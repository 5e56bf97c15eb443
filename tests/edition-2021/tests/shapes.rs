//! The same file as in `ctxprop-tests`, in edition 2021.

#[path = "../../tests/shapes.rs"]
mod shapes;
