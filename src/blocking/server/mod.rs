//! The server without async, its handle and its thread.

mod endpoint;
mod handle;
mod run;
mod thread;

pub use endpoint::Server;
pub use handle::ServerHandle;
pub use thread::ServerThread;
