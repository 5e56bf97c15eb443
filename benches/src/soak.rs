//! Mixed traffic against three services, for as long as it is told, and what is left of it. All in one process, over real
//! sockets: a front that strangers call, a service behind it, and one behind that.

pub mod events;
pub mod memory;
pub mod services;
pub mod traffic;
