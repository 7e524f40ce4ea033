//! The directory of the server. What it refuses is an [`io::Error`], and its kind says with which error of TFTP.

use std::{
    io::{self, ErrorKind},
    path::{Component, Path, PathBuf},
};

use tokio::fs;

use super::packet::Packet;

pub(crate) struct Files {
    /// Without symbolic links.
    pub(crate) root: PathBuf,
    /// The longest upload, in bytes.
    pub(crate) max_len: u64,
}

impl Files {
    /// Returns the path of a file in the directory, also behind symbolic links.
    pub(crate) async fn path(&self, name: &str) -> io::Result<PathBuf> {
        // The directory is the root for clients that name files like "/boot/kernel".
        let name = Path::new(name.trim_start_matches('/'));
        let is_below = name.components().all(|part| matches!(part, Component::Normal(_)));
        let (true, Some(dir), Some(last)) = (is_below, name.parent(), name.file_name()) else {
            return Err(ErrorKind::PermissionDenied.into());
        };
        let path = fs::canonicalize(self.root.join(dir)).await?.join(last);
        // A file to write does not exist yet. If it is a link that leads nowhere, it cannot be opened or created.
        let path = fs::canonicalize(&path).await.unwrap_or(path);
        // To open a pipe, for example, would wait for its other end.
        let is_other = fs::metadata(&path).await.is_ok_and(|metadata| !metadata.is_file());
        if is_other || !path.starts_with(&self.root) {
            return Err(ErrorKind::PermissionDenied.into());
        }
        Ok(path)
    }
}

impl Packet {
    /// Tells the client why its file cannot be read or written (RFC 1350, appendix).
    pub(crate) fn refusal(error: &io::Error) -> Self {
        let (code, message) = match error.kind() {
            ErrorKind::NotFound => (1, "file not found"),
            ErrorKind::PermissionDenied => (2, "permission denied"),
            ErrorKind::FileTooLarge => (3, "the file is too large"),
            ErrorKind::QuotaExceeded | ErrorKind::StorageFull => (3, "disk full"),
            ErrorKind::InvalidInput => (4, "not a request with the mode octet (binary)"),
            ErrorKind::AlreadyExists => (6, "file already exists"),
            _ => (0, "the file could not be read or written"),
        };
        Self::Error { code, message: message.to_owned() }
    }
}
