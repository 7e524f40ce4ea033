//! The path of a socket that this process has bound: it is removed when the socket is not needed any more.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The path of a bound socket. Dropping it removes the path, unless somebody else has replaced it.
///
/// Drop it before the socket is closed: as long as the socket is open, no other file has its inode number.
#[derive(Debug)]
pub(crate) struct OwnPath {
    /// Absolute, because the process may change its directory.
    path: PathBuf,
    file: FileId,
    is_kept: bool,
}

/// What distinguishes a file from another one that has taken its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The file at `path`; a symbolic link is not followed.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let file = fs::symlink_metadata(path)?;
        Ok(Self { device: file.dev(), inode: file.ino() })
    }
}

impl OwnPath {
    /// Takes the path at which a socket was just bound.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let file = FileId::at(&path)?;
        Ok(Self { path, file, is_kept: false })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes `path`, to which the file at `from` is about to be moved.
    pub(crate) fn after_move(from: &Path, path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        Ok(Self { path, file: FileId::at(from)?, is_kept: false })
    }

    /// Sets whether the path stays where it is at the end.
    pub(crate) const fn set_kept(&mut self, is_kept: bool) {
        self.is_kept = is_kept;
    }

    /// Whether nobody has removed or replaced it.
    pub(crate) fn is_there(&self) -> bool {
        FileId::at(&self.path).is_ok_and(|file| file == self.file)
    }

    fn remove(&self) -> io::Result<()> {
        if FileId::at(&self.path)? == self.file { fs::remove_file(&self.path) } else { Ok(()) }
    }
}

impl Drop for OwnPath {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        match self.remove() {
            Ok(()) => {}
            // Somebody else has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => crate::events::path_is_left(&self.path, &error),
        }
    }
}
