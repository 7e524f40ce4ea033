//! The packets of a blocking client as an iterator.

use std::{
    fmt,
    iter::FusedIterator,
    time::{Duration, Instant},
};

use super::endpoint::Client;
use crate::{ClientRecvError, DatagramProtocol, client::LATE};

impl<P: DatagramProtocol> Client<P> {
    /// Returns the packets that the client receives as an iterator.
    ///
    /// # Examples
    ///
    /// All answers that arrive within one second:
    ///
    /// ```
    /// # use datagrammar::{ClientRecvError, Text, blocking::Client};
    /// # use std::time::Duration;
    /// # fn example(client: Client<Text>) -> Result<(), ClientRecvError> {
    /// for answer in client.packets().within(Duration::from_secs(1)) {
    ///     println!("{}", answer?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub const fn packets(&self) -> Packets<'_, P> {
        Packets { client: self, until: None, late: 0, ended: false }
    }
}

/// An iterator over the packets that a blocking client receives; made by [`Client::packets`].
///
/// An error of [`Client::recv`] is an item, and the iterator goes on after it. It ends when the client is
/// closed, or when the [time limit](Self::within) is over. Inside an async runtime it ends after the error.
///
/// # Examples
///
/// ```
/// use datagrammar::{Text, blocking::Client};
/// use std::{net::UdpSocket, time::Duration};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let server = UdpSocket::bind("127.0.0.1:0")?;
/// let client = Client::connect(server.local_addr()?, Text)?;
/// server.send_to(b"one", client.local_addr())?;
/// server.send_to(b"two", client.local_addr())?;
///
/// // With a limit of zero: only packets that have arrived already.
/// let packets: Result<Vec<_>, _> = client.packets().within(Duration::ZERO).collect();
/// assert_eq!(packets?, ["one", "two"]);
/// # Ok(())
/// # }
/// ```
#[must_use = "an iterator does nothing unless it is used"]
pub struct Packets<'a, P> {
    client: &'a Client<P>,
    until: Option<Instant>,
    /// How many packets were returned after the time limit.
    late: usize,
    ended: bool,
}

impl<P> Packets<'_, P> {
    /// Ends the iterator after `limit`, counted from this call. Packets that have arrived by then are still
    /// returned. So with a limit of zero, it returns only packets that have arrived already. After the limit
    /// it returns at most 16,384 packets, so that it ends even if a peer never stops sending.
    pub fn within(mut self, limit: Duration) -> Self {
        self.until = Instant::now().checked_add(limit);
        self
    }
}

impl<P: DatagramProtocol> Iterator for Packets<'_, P> {
    type Item = Result<P::Incoming, ClientRecvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let packet = self.client.receive(self.until);
        if matches!(packet, Err(ClientRecvError::Closed | ClientRecvError::TimedOut)) {
            self.ended = true;
            return None;
        }
        self.late += usize::from(self.until.is_some_and(|until| until <= Instant::now()));
        self.ended = self.late == LATE || matches!(packet, Err(ClientRecvError::InsideRuntime));
        Some(packet)
    }
}

impl<P: DatagramProtocol> FusedIterator for Packets<'_, P> {}

impl<P> fmt::Debug for Packets<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packets").field("client", self.client).finish_non_exhaustive()
    }
}
