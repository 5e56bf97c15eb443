//! The same files as in `ctxprop-tests`, in edition 2021.

#[path = "../../tests/shapes/main.rs"]
mod shapes;
