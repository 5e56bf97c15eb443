//! The shapes of `ctxprop-tests`, for users on edition 2021.
