//! What threads share, and what is current on each: atomics, locks, fences and a thread-local, reached through this one
//! module, so that the model (`model.rs`) can put those of `shuttle` in their place and try the *shipped* source in other
//! orders (`--cfg ctxprop_model`).

#[cfg(not(ctxprop_model))]
pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
#[cfg(not(ctxprop_model))]
pub(crate) use std::sync::{Mutex, MutexGuard};
#[cfg(not(ctxprop_model))]
pub(crate) use std::thread_local;

#[cfg(ctxprop_model)]
pub(crate) use shuttle::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
#[cfg(ctxprop_model)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard};
#[cfg(ctxprop_model)]
pub(crate) use shuttle::thread_local;

use std::sync::{PoisonError, TryLockError};

/// Locks `mutex`. What may panic never runs under one of our locks, so what a poisoned one guards is whole.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same, where nobody else holds it.
pub(crate) fn try_lock<T: ?Sized>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// A number for this thread; threads are counted as they first ask.
#[cfg(not(ctxprop_model))]
pub(crate) fn thread_number() -> usize {
    use std::cell::Cell;

    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static HERE: Cell<Option<usize>> = const { Cell::new(None) };
    }
    HERE.get().unwrap_or_else(|| {
        let here = NEXT.fetch_add(1, Ordering::Relaxed);
        HERE.set(Some(here));
        here
    })
}

#[cfg(ctxprop_model)]
pub(crate) fn thread_number() -> usize {
    shuttle::current::me().into()
}
