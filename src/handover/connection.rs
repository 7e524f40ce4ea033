//! The connection between the two processes of a hand-over.

use std::{
    collections::VecDeque,
    io,
    os::fd::{BorrowedFd, OwnedFd},
    sync::Arc,
};

use tokio::net::UnixStream;

use super::format::Message;
use crate::transport::fd_stream::FdStream;

/// The connection between the two processes.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Messages may be sent while this waits for one.
    pub(crate) stream: Arc<FdStream>,
    bytes: Vec<u8>,
    /// How many of the bytes were read.
    read: usize,
    pub(crate) fds: VecDeque<OwnedFd>,
    /// Whether descriptors are expected. Others are closed.
    pub(crate) takes_fds: bool,
}

impl Connection {
    /// # Errors
    ///
    /// Fails with `PermissionDenied` if the other process belongs to another user.
    pub(crate) fn new(stream: UnixStream) -> io::Result<Self> {
        let stream = Arc::new(FdStream::new(stream));
        if stream.peer_uid()? != own_uid()? {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(Self { stream, bytes: Vec::new(), read: 0, fds: VecDeque::new(), takes_fds: false })
    }

    pub(crate) async fn send(
        &self,
        message: &Message,
        fd: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        message.write(&mut bytes);
        self.stream.send(&bytes, fd).await
    }

    /// Returns the next message, or `UnexpectedEof` at the end of the stream.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no message is lost.
    pub(crate) async fn next(&mut self) -> io::Result<Message> {
        loop {
            match Message::read(&self.bytes[self.read..]) {
                Ok(Some((message, len))) => {
                    self.read += len;
                    return Ok(message);
                }
                Ok(None) => {}
                Err(_) => return Err(io::ErrorKind::InvalidData.into()),
            }
            self.bytes.drain(..self.read);
            self.read = 0;
            if !self.stream.recv(&mut self.bytes, &mut self.fds).await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if !self.takes_fds {
                self.fds.clear();
            }
        }
    }
}

/// The user of this process.
fn own_uid() -> io::Result<u32> {
    let (stream, _other) = UnixStream::pair()?;
    FdStream::new(stream).peer_uid()
}
