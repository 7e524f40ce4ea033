//! Unix datagrams: paths, peers without a name, peers that do not read, descriptors and credentials.

mod connected;
mod credentials;
pub(crate) mod fds;
mod names;
mod paths;
mod refused;
mod replies;
mod sending;
mod several;
mod stale;
mod unnamed;

use std::{
    fs,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

use datagrammar::{Bind, BindError, Server, ServerBuilder, Text, Unix};
use tokio::net::UnixDatagram;

use crate::support::{BindNow, temporary_path, within_deadline};

/// A server that answers with the same text.
pub(crate) fn echo() -> ServerBuilder<Text> {
    Server::builder(Text, async |text: String| text)
}

pub(crate) fn bind(transport: impl Bind) -> Result<Server, BindError> {
    echo().bind_now(transport)
}

/// A server at a new path.
pub(crate) fn bound() -> (PathBuf, Server) {
    let path = temporary_path();
    let server = bind(Unix::new(&path)).unwrap();
    (path, server)
}

/// A directory that no other test uses.
pub(crate) fn directory() -> PathBuf {
    let directory = temporary_path();
    fs::create_dir(&directory).unwrap();
    directory
}

pub(crate) fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
}

pub(crate) fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// A socket at `path` that nobody serves, as a killed process leaves it.
pub(crate) fn leave_stale(path: &Path) {
    drop(std::os::unix::net::UnixDatagram::bind(path).unwrap());
    assert!(is_socket(path));
}

/// A peer that uses no code of this crate.
pub(crate) struct Foreign(pub(crate) UnixDatagram);

impl Foreign {
    pub(crate) fn new() -> Self {
        Self(UnixDatagram::bind(temporary_path()).unwrap())
    }

    pub(crate) async fn recv(&self) -> String {
        let mut datagram = vec![0; 256 * 1024];
        let len = within_deadline(self.0.recv(&mut datagram)).await.unwrap();
        String::from_utf8(datagram[..len].to_vec()).unwrap()
    }

    pub(crate) async fn ask(&self, path: impl AsRef<Path>, text: &str) -> String {
        within_deadline(self.0.send_to(text.as_bytes(), path)).await.unwrap();
        self.recv().await
    }
}
