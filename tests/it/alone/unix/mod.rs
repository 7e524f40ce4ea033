//! Tests of Unix sockets that count descriptors, or set the umask or the current directory.

mod directory;
mod mode;

/// A runtime with one thread.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
