//! A connected Unix stream that passes descriptors.

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use socket2::{MsgHdr, SockRef};
use tokio::{io::Interest, net::UnixStream};

use super::{
    kernel::{
        Aligned,
        unix::{NAME, recv},
    },
    passing::Passing,
};

/// How many descriptors come with one message at most, and the room that they need.
const FDS: usize = 8;
const CONTROL: usize = 64 + FDS * size_of::<libc::c_int>();
/// How many bytes are read at once.
const PIECE: usize = 64 * 1_024;

/// A connected Unix stream that passes descriptors.
#[derive(Debug)]
pub(crate) struct FdStream(UnixStream);

impl FdStream {
    pub(crate) const fn new(stream: UnixStream) -> Self {
        Self(stream)
    }

    /// The user at the other end.
    pub(crate) fn peer_uid(&self) -> io::Result<u32> {
        Ok(self.0.peer_cred()?.uid())
    }

    /// Adds bytes and descriptors that have come; waits until there are some. Returns false at the end of the stream.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing was taken.
    pub(crate) async fn recv(
        &self,
        bytes: &mut Vec<u8>,
        fds: &mut VecDeque<OwnedFd>,
    ) -> io::Result<bool> {
        let mut control = Aligned::<CONTROL>::default();
        let start = bytes.len();
        let received = self
            .0
            .async_io(Interest::READABLE, || {
                bytes.resize(start + PIECE, 0);
                let (mut name, fd) = (Aligned::<NAME>::default(), self.0.as_fd());
                let received = recv(fd, &mut name, &mut bytes[start..], &mut control.0);
                bytes.truncate(start + received.as_ref().map_or(0, |received| received.len));
                received
            })
            .await?;
        fds.extend(received.passed.into_iter().flat_map(|passed| passed.fds));
        Ok(received.len > 0)
    }

    /// Sends all of `bytes`, and a descriptor with the first of them.
    pub(crate) async fn send(
        &self,
        mut bytes: &[u8],
        mut fd: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            bytes = &bytes[self.send_some(bytes, fd.take()).await?..];
        }
        Ok(())
    }

    /// Sends some of `bytes`, at least one, and a descriptor with the first of them. Returns how many.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing was sent.
    pub(crate) async fn send_some(
        &self,
        bytes: &[u8],
        fd: Option<BorrowedFd<'_>>,
    ) -> io::Result<usize> {
        #[cfg(not(target_vendor = "apple"))]
        const FLAGS: libc::c_int = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
        #[cfg(target_vendor = "apple")]
        const FLAGS: libc::c_int = libc::MSG_DONTWAIT;

        let fds: Vec<_> = fd.into_iter().collect();
        let control = Passing::Fds(&fds).control();
        let send = || {
            let (socket, pieces) = (SockRef::from(&self.0), [io::IoSlice::new(bytes)]);
            let message = MsgHdr::new().with_buffers(&pieces);
            if control.is_empty() {
                socket.sendmsg(&message, FLAGS)
            } else {
                socket.sendmsg(&message.with_control(&control), FLAGS)
            }
        };
        self.0.async_io(Interest::WRITABLE, send).await
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Seek, Write},
        os::fd::AsFd,
    };

    use super::*;

    // O-30
    #[tokio::test]
    async fn descriptors_and_bytes_come_in_order_and_the_end_is_seen() {
        let (left, right) = UnixStream::pair().unwrap();
        let (left, right) = (FdStream::new(left), FdStream::new(right));
        assert_eq!(left.peer_uid().unwrap(), right.peer_uid().unwrap());
        let path = std::env::temp_dir().join(format!("datagrammar-fds-{}", std::process::id()));
        let mut options = std::fs::File::options();
        let mut file = options.read(true).write(true).create(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        file.write_all(b"inside").unwrap();

        let (mut bytes, mut fds) = (Vec::new(), VecDeque::new());
        let long = vec![7; 1 << 20];
        let send = async {
            left.send(b"first", Some(file.as_fd())).await.unwrap();
            left.send(&long, None).await.unwrap();
            drop(left);
        };
        let receive = async { while right.recv(&mut bytes, &mut fds).await.unwrap() {} };
        tokio::join!(send, receive);

        assert!(bytes.starts_with(b"first") && bytes.len() == 5 + long.len());
        let mut same = std::fs::File::from(fds.pop_front().unwrap());
        same.rewind().unwrap();
        let mut text = String::new();
        same.read_to_string(&mut text).unwrap();
        assert!(text == "inside" && fds.is_empty(), "{text}");
    }
}
