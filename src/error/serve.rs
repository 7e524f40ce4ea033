//! The error of serving.

use std::{error::Error, fmt, io};

use super::bind::SERVER_INSIDE_RUNTIME;
use crate::BoxError;

/// The error of [`Server::serve`](crate::Server::serve): serving did not begin, or ended because of an error.
///
/// # Examples
///
/// ```
/// use datagrammar::{BoxError, Handler, Peer, ServeError, Server, ServerContext, Text};
///
/// struct Refuses;
///
/// impl Handler<String, String> for Refuses {
///     async fn start(&self, _: &mut ServerContext) -> Result<(), BoxError> {
///         Err("the database is not there".into())
///     }
///
///     async fn handle(&self, _: &mut Peer<String, String>) -> Result<(), BoxError> {
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let server = Server::bind("127.0.0.1:0", Text, Refuses).await?;
///
/// let Err(ServeError::Start(error)) = server.serve().await else { panic!("it has started") };
/// assert_eq!(error.to_string(), "the database is not there");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// Another call of `serve` runs already. It goes on.
    AlreadyServing,
    /// A [blocking server](crate::blocking::Server) cannot be used inside an async runtime. The closure of
    /// `tokio::task::spawn_blocking` counts as inside. Use [`Server`](crate::Server), or a thread of your
    /// own.
    InsideRuntime,
    /// The thread of a [`ServerThread`](crate::blocking::ServerThread) panicked: for example, a destructor of
    /// the handler.
    Panicked(BoxError),
    /// [`Handler::start`](crate::Handler::start) returned this error, or panicked.
    Start(BoxError),
    /// A socket has failed for good, with this error.
    Io(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadyServing => "the server is serving already",
            Self::InsideRuntime => SERVER_INSIDE_RUNTIME,
            Self::Panicked(_) => "the thread of the server panicked",
            Self::Start(_) => "the handler could not start",
            Self::Io(_) => "a socket has failed for good",
        })
    }
}

impl Error for ServeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::AlreadyServing | Self::InsideRuntime => None,
            Self::Panicked(error) | Self::Start(error) => Some(&**error),
            Self::Io(error) => Some(error),
        }
    }
}
