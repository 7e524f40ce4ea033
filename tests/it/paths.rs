//! Paths for the sockets of tests.

use std::{
    env, fs, io,
    path::PathBuf,
    process,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

/// A path that does not exist yet, in a directory of this process.
pub fn temporary_path() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(new_directory);

    DIRECTORY.join(NEXT.fetch_add(1, Relaxed).to_string())
}

/// An earlier process of the same id may have left its directory behind.
fn new_directory() -> PathBuf {
    let id = process::id();
    let names = (0..).map(|n| env::temp_dir().join(format!("datagrammar-{id}-{n}")));
    let is_new = |name: &PathBuf| match fs::create_dir(name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        created => created.map(|()| true).unwrap(),
    };
    names.into_iter().find(is_new).unwrap()
}
