//! What a server does with datagrams from Unix sockets that have no name.

/// What a server does with datagrams from Unix sockets that have no name; set with
/// [`Unix::unnamed_peers`](crate::Unix::unnamed_peers).
///
/// A program that sends from a socket that it has not bound has no name, such as `logger` and most other
/// clients of syslog. Nothing can be sent to it.
///
/// # Examples
///
/// ```
/// # #[cfg(unix)] mod example {
/// use datagrammar::{BindError, Server, Text, Unix, UnnamedPeers};
///
/// async fn serve(path: &str) -> Result<Server, BindError> {
///     let unix = Unix::new(path).unnamed_peers(UnnamedPeers::Serve);
///     Server::bind(unix, Text, async |line: String| println!("{line}")).await
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnnamedPeers {
    /// Their datagrams are dropped and counted as [`Unnamed`](crate::DropReason::Unnamed).
    #[default]
    Drop,
    /// The same, and the server logs them at WARN.
    Warn,
    /// Each of their datagrams is a conversation of its own. Sending to such a peer is an error.
    Serve,
}
