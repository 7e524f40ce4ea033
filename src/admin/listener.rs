//! Where the endpoint listens.

use std::{io, net::TcpListener};

use axum::Router;

use super::connections::{Bounds, serve};

/// A socket that listens and does not block.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(crate::transport::unix::OwnPath, std::os::unix::net::UnixListener),
}

impl Listener {
    /// Answers requests with `pages` until `ended` completes, and then those that are in progress.
    ///
    /// # Errors
    ///
    /// Fails if the runtime cannot watch the socket.
    pub(super) async fn serve(
        self,
        pages: Router,
        bounds: Bounds,
        ended: impl Future<Output = ()>,
    ) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                let accept = async move || Ok(listener.accept().await?.0);
                serve(accept, pages, bounds, ended).await;
            }
            #[cfg(unix)]
            Self::Unix(path, listener) => {
                // The path is removed while the socket is open.
                let _open = listener.try_clone()?;
                let _path = path;
                let listener = tokio::net::UnixListener::from_std(listener)?;
                let accept = async move || Ok(listener.accept().await?.0);
                serve(accept, pages, bounds, ended).await;
            }
        }
        Ok(())
    }
}
