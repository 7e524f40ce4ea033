//! The path at which a server waits for the process that takes over.

use std::{
    fs, io,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    net::{UnixListener, UnixStream},
    time::sleep,
};

use crate::transport::unix::OwnPath;

/// A socket that listens at a path. Dropping it removes the path, unless another process has replaced it, or may do so.
#[derive(Debug)]
pub(crate) struct Listener {
    // Dropped first, while the socket is open.
    path: OwnPath,
    listener: UnixListener,
}

impl Listener {
    /// Listens at `path`. A socket that nobody listens on is replaced, and so is every socket if `replaces` is true. The path
    /// is never without a socket then.
    ///
    /// # Errors
    ///
    /// Fails with `AddrInUse` if another process listens there, or if there is another kind of file.
    pub(crate) fn bind(path: &Path, replaces: bool) -> io::Result<Self> {
        check(path, replaces)?;
        let beside = beside(path);
        // A process with this number that was killed may have left it.
        let _ = fs::remove_file(&beside);
        let listener = UnixListener::bind(&beside)?;
        let placed = OwnPath::after_move(&beside, path).and_then(|own| {
            fs::set_permissions(&beside, fs::Permissions::from_mode(0o600))?;
            fs::rename(&beside, path)?;
            Ok(own)
        });
        match placed {
            Ok(path) => Ok(Self { path, listener }),
            Err(error) => {
                let _ = fs::remove_file(&beside);
                Err(error)
            }
        }
    }

    /// Leaves the path to the process that takes over. It may replace it at any moment, also between a look at the path and its
    /// removal. Then a third process would find nobody.
    pub(crate) const fn leave_path(&mut self) {
        self.path.set_kept(true);
    }

    /// Listens at the path again, if a process that has ended has replaced it. It may still be there for a moment, because the
    /// system closes the descriptors of a killed process one after the other.
    ///
    /// # Errors
    ///
    /// Fails with `AddrInUse` if another process listens there.
    pub(crate) async fn restore(&mut self) -> io::Result<()> {
        const TRIES: u32 = 100;
        const PAUSE: Duration = Duration::from_millis(10);

        self.path.set_kept(false);
        for _ in 1..TRIES {
            match self.bind_again() {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => sleep(PAUSE).await,
                bound => return bound,
            }
        }
        self.bind_again()
    }

    fn bind_again(&mut self) -> io::Result<()> {
        if !self.path.is_there() {
            *self = Self::bind(self.path.path(), false)?;
        }
        Ok(())
    }

    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        Ok(self.listener.accept().await?.0)
    }
}

fn check(path: &Path, replaces: bool) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;

    let in_use = |what: &str| {
        let text = format!("cannot listen at {}: {what}", path.display());
        Err(io::Error::new(io::ErrorKind::AddrInUse, text))
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(file) if !file.file_type().is_socket() => in_use("a file that is no socket is there"),
        Ok(_) if replaces => Ok(()),
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => in_use("another server hands over there"),
            Err(_) => Ok(()),
        },
    }
}

/// A path in the same directory, for a moment.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    // A path may have about 100 bytes.
    let number = std::process::id() % 10_000;
    name.push(std::ffi::OsStr::from_bytes(format!(".{number}").as_bytes()));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    // O-30
    #[tokio::test]
    async fn a_path_in_use_is_not_taken_and_a_stale_one_is() {
        let path =
            std::env::temp_dir().join(format!("datagrammar-listener-{}", std::process::id()));
        let first = Listener::bind(&path, false).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        let error = Listener::bind(&path, false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let second = Listener::bind(&path, true).unwrap();
        drop(first);
        assert!(path.exists(), "the second one has replaced it");
        UnixStream::connect(&path).await.unwrap();
        second.accept().await.unwrap();
        drop(second);
        assert!(!path.exists());

        let mut left = Listener::bind(&path, false).unwrap();
        left.leave_path();
        drop(left);
        assert!(path.exists(), "another process may have it");

        let mut replaced = Listener::bind(&path, false).unwrap();
        replaced.leave_path();
        let other = std::os::unix::net::UnixListener::bind(beside(&path)).unwrap();
        fs::rename(beside(&path), &path).unwrap();
        // It goes a moment later.
        let going = async {
            sleep(Duration::from_millis(1)).await;
            drop(other);
        };
        tokio::join!(replaced.restore(), going).0.unwrap();
        UnixStream::connect(&path).await.unwrap();
        replaced.restore().await.unwrap();
        drop(replaced);
        assert!(!path.exists());

        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        drop(Listener::bind(&path, false).unwrap());
        fs::write(&path, "").unwrap();
        let error = Listener::bind(&path, true).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        fs::remove_file(&path).unwrap();
    }
}
