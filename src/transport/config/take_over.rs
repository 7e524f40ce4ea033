//! The sockets of another process, which hands them over.

use std::path::{Path, PathBuf};

use super::{
    Bind,
    sealed::{Source, Sources},
};

/// The sockets of a server in another process, which [hands them over](crate::ServerHandle::hand_over) at a path. Pass it to
/// [`Server::bind`](crate::Server::bind) to restart a server without losing a datagram.
///
/// If no process listens at the path, the server is bound to the transport of [`or`](Self::or). So the first process of a
/// service and all later ones are the same program.
///
/// `bind` gets all sockets of the other server, in its order, with its ports, options and buffers, and the paths of its Unix
/// sockets. The transport of `or` is ignored then, except for [`batch_io(false)`](crate::Udp::batch_io), if the sockets allow it.
/// To change the address, start without a hand-over.
///
/// From then on, both processes have the sockets, and the other one serves. When this one has begun to
/// [serve](crate::Server::serve), and its start hook has succeeded, it begins to read, and the other one stops. If this
/// process ends before, the other one goes on. Peers that are in conversation with the other process stay there until their
/// conversations end, and get no second one here meanwhile.
///
/// Both processes must belong to the same user, and use versions of this crate that understand each other.
///
/// # Errors
///
/// `bind` fails with [`BindError::TakeOver`](crate::BindError::TakeOver), and not with the transport of `or`, if a process
/// listens at the path and does not hand over; see [`TakeOverError`](crate::TakeOverError).
///
/// # Examples
///
/// The first process binds the address. See [`hand_over`](crate::ServerHandle::hand_over) for the second one.
///
/// ```
/// use datagrammar::{Server, TakeOver, Text};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let transport = TakeOver::from("/run/echo/hand-over.sock").or("127.0.0.1:0");
/// let server = Server::bind(transport, Text, async |text: String| text).await?;
/// assert!(server.local_addr().port().is_some());
/// # Ok(())
/// # }
/// ```
#[doc(alias = "restart")]
#[doc(alias = "upgrade")]
#[doc(alias = "SCM_RIGHTS")]
#[derive(Debug)]
#[must_use = "it is for `Server::bind`"]
pub struct TakeOver {
    path: PathBuf,
    or: Vec<Source>,
}

impl TakeOver {
    /// Takes over from the process that listens at `path`. Without [`or`](Self::or), `bind` fails if there is none.
    pub fn from(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned(), or: Vec::new() }
    }

    /// Sets what the server is bound to if no process listens at the path.
    pub fn or(mut self, transport: impl Bind) -> Self {
        self.or = transport.sources();
        self
    }
}

impl Sources for TakeOver {
    fn sources(self) -> Vec<Source> {
        vec![Source::TakeOver(self.path, self.or)]
    }
}
