//! The directory of the server. What it refuses is an [`io::Error`], and its kind says with which error of TFTP.

use std::{
    io::{self, ErrorKind},
    path::{Component, Path, PathBuf},
};

use tokio::fs;

use super::packet::{ErrorCode, Packet};

pub(crate) struct Files {
    /// Without symbolic links.
    pub(crate) root: PathBuf,
    /// The longest upload, in bytes.
    pub(crate) max_len: u64,
}

impl Files {
    /// Returns the path of a file in the directory, also behind symbolic links.
    pub(crate) async fn path(&self, name: &str) -> io::Result<PathBuf> {
        let refused = |why: &str| Err(io::Error::new(ErrorKind::PermissionDenied, why));
        // The directory is the root for clients that name files like "/boot/kernel".
        let name = Path::new(name.trim_start_matches('/'));
        let is_normal = |part| matches!(part, Component::Normal(_));
        let Some(last) = name.file_name().filter(|_| name.components().all(is_normal)) else {
            return refused("not in the directory");
        };
        let path = self.root.join(name);
        let path = match fs::canonicalize(&path).await {
            // A file to write does not exist yet. If it is a link that leads nowhere, it cannot be created.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::canonicalize(path.parent().unwrap_or(&self.root)).await?.join(last)
            }
            path => path?,
        };
        if !path.starts_with(&self.root) {
            return refused("not in the directory");
        }
        match fs::metadata(&path).await {
            // To open a pipe, for example, would wait for its other end.
            Ok(metadata) if !metadata.is_file() => refused("not a file"),
            _ => Ok(path),
        }
    }
}

impl Packet {
    /// Tells the client why its file cannot be read or written.
    pub(crate) fn refusal(error: &io::Error) -> Self {
        let (code, message) = match error.kind() {
            ErrorKind::NotFound => (ErrorCode::NOT_FOUND, "file not found"),
            ErrorKind::PermissionDenied => (ErrorCode::ACCESS_VIOLATION, "permission denied"),
            ErrorKind::AlreadyExists => (ErrorCode::EXISTS, "file already exists"),
            ErrorKind::InvalidInput => (ErrorCode::ILLEGAL, "illegal request"),
            ErrorKind::FileTooLarge | ErrorKind::QuotaExceeded | ErrorKind::StorageFull => {
                (ErrorCode::DISK_FULL, "disk full")
            }
            _ => (ErrorCode::UNDEFINED, "the file could not be read or written"),
        };
        // The reasons of this program have a text of their own.
        let message = error.get_ref().map_or_else(|| message.to_owned(), ToString::to_string);
        Self::Error { code, message }
    }
}
