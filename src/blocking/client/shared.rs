//! The state that all clones of a blocking client share.

use std::{
    borrow::Borrow,
    io,
    sync::{Arc, Mutex, OnceLock},
    time::Instant,
};

use super::{
    link::{Link, Received},
    turns::Turns,
    wait::Waited,
};
use crate::{
    Addr, ClientRecvError, ClientSendError, DatagramProtocol,
    client_envelope::Envelopes,
    exchange::{LastPacket, Pace},
    lock::locked,
    stats::{ClientCounters, add},
    token::Envelope,
    transport::Passed,
};

/// The state that all clones of a blocking client share.
pub(super) struct Shared<P> {
    pub(super) protocol: P,
    max_datagram_size: usize,
    pub(super) local_addr: Addr,
    pub(super) peer_addr: Addr,
    /// `None` once the client is closed.
    link: Mutex<Option<Arc<Link>>>,
    /// Receive buffers that no call uses at the moment.
    buffers: Mutex<Vec<Vec<u8>>>,
    pub(super) counters: ClientCounters,
    /// An exchange takes the pace at its first packet, and puts it back at its end.
    pub(super) exchanging: Turns<Pace>,
    /// The last packet that a call has returned. It is remembered only if duplicates are to be recognized.
    last: OnceLock<Mutex<LastPacket>>,
    pub(super) envelopes: Envelopes,
    /// With envelopes, held while a datagram is taken from the socket, or looked at.
    pub(super) taking: Mutex<()>,
}

/// What a receive learns besides the packet.
#[derive(Debug, Default)]
pub(super) struct RecvDetails {
    /// What came with the datagram.
    pub(super) passed: Option<Passed>,
    /// Whether the packet has the same bytes as the one before.
    pub(super) is_duplicate: bool,
    /// Whether the call had to wait for the packet.
    pub(super) waited: bool,
    /// Whether the call has got many challenges instead of a packet.
    pub(super) is_flooded: bool,
}

impl<P> Shared<P> {
    pub(super) fn new(
        link: Link,
        protocol: P,
        max_datagram_size: usize,
        has_envelope: bool,
    ) -> Self {
        let envelopes = Envelopes::new(has_envelope, &link.peer_addr);
        let max_datagram_size = envelopes.max_len(max_datagram_size).min(link.longest());
        Self {
            protocol,
            max_datagram_size,
            local_addr: link.local_addr.clone(),
            peer_addr: link.peer_addr.clone(),
            link: Mutex::new(Some(Arc::new(link))),
            buffers: Mutex::default(),
            counters: ClientCounters::default(),
            exchanging: Turns::new(Pace::default()),
            last: OnceLock::new(),
            envelopes,
            taking: Mutex::default(),
        }
    }

    /// Remembers each packet from now on, to recognize duplicates.
    pub(super) fn detect_duplicates(&self) {
        self.last.get_or_init(Mutex::default);
    }

    /// Returns the socket, unless the client is closed.
    pub(super) fn link(&self) -> Option<Arc<Link>> {
        locked(&self.link).clone()
    }

    pub(super) fn is_closed(&self) -> bool {
        locked(&self.link).is_none()
    }

    pub(super) fn close(&self) {
        let link = locked(&self.link).take();
        self.exchanging.close();
        #[cfg(unix)]
        if let Some(unix) = link.as_ref().and_then(|link| link.unix()) {
            unix.remove_path();
        }
        // Without calls in progress there is nobody to wake, and a socket that the caller has cloned stays as
        // it is.
        if let Some(link) = link
            && Arc::strong_count(&link) > 1
        {
            link.shut_down();
        }
    }
}

impl<P: DatagramProtocol> Shared<P> {
    pub(super) fn send(&self, packet: &P::Outgoing) -> Result<(), ClientSendError> {
        self.send_by(packet, Link::try_send)
    }

    /// Encodes `packet` and sends it with `try_send`, as soon as there is room.
    pub(super) fn send_by(
        &self,
        packet: &P::Outgoing,
        try_send: impl Fn(&Link, &[u8]) -> io::Result<()>,
    ) -> Result<(), ClientSendError> {
        let link = self.link().ok_or(ClientSendError::Closed)?;
        let mut datagram = self.encode(&link, packet)?;
        self.send_datagram(&link, &mut datagram, try_send, None).unwrap_or(Ok(()))
    }

    /// Sends `datagram` with `try_send`, as soon as there is room. If it is in an envelope, it gets the newest token.
    /// Returns `None` if there is no room until `deadline`.
    pub(super) fn send_datagram(
        &self,
        link: &Link,
        datagram: &mut [u8],
        try_send: impl Fn(&Link, &[u8]) -> io::Result<()>,
        deadline: Option<Instant>,
    ) -> Option<Result<(), ClientSendError>> {
        self.look_for_challenges(link);
        loop {
            let error = match self.envelopes.send(datagram, |datagram| try_send(link, datagram)) {
                Ok(()) => {
                    add(&self.counters.sent, 1);
                    return Some(Ok(()));
                }
                Err(error) => error,
            };
            if self.is_closed() {
                return Some(Err(ClientSendError::Closed));
            }
            match error.kind() {
                io::ErrorKind::WouldBlock => match link.wait_writable(deadline) {
                    Ok(Waited::TimedOut) => return None,
                    Ok(_) => {}
                    Err(error) => return Some(Err(ClientSendError::Io(error))),
                },
                io::ErrorKind::Interrupted => {}
                _ => {
                    add(&self.counters.send_errors, 1);
                    return Some(Err(ClientSendError::Io(error)));
                }
            }
        }
    }

    pub(super) fn send_all(
        &self,
        packets: impl IntoIterator<Item: Borrow<P::Outgoing>>,
    ) -> Result<(), ClientSendError> {
        packets.into_iter().try_for_each(|packet| self.send(packet.borrow()))
    }

    /// Receives a packet, and waits for it until `deadline`.
    pub(super) fn receive(
        &self,
        deadline: Option<Instant>,
        details: &mut RecvDetails,
    ) -> Result<P::Incoming, ClientRecvError> {
        let link = self.link().ok_or(ClientRecvError::Closed)?;
        let mut waited = Waited::Ready;
        loop {
            if let Some(packet) = self.try_receive(&link, details) {
                return packet;
            }
            match waited {
                Waited::TimedOut => return Err(ClientRecvError::TimedOut),
                Waited::ShutDown => {
                    let error = io::Error::new(io::ErrorKind::NotConnected, SHUT_DOWN);
                    return Err(ClientRecvError::Io(error));
                }
                Waited::Ready => {}
            }
            if details.is_flooded && deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(ClientRecvError::TimedOut);
            }
            waited = link.wait_readable(deadline).map_err(ClientRecvError::Io)?;
            details.waited = true;
        }
    }

    /// Returns a packet that has arrived, without waiting.
    pub(super) fn receive_now(&self) -> Option<Result<P::Incoming, ClientRecvError>> {
        match self.link() {
            Some(link) => self.try_receive(&link, &mut RecvDetails::default()),
            None => Some(Err(ClientRecvError::Closed)),
        }
    }

    fn try_receive(
        &self,
        link: &Link,
        details: &mut RecvDetails,
    ) -> Option<Result<P::Incoming, ClientRecvError>> {
        let mut buffer = locked(&self.buffers).pop().unwrap_or_default();
        // Pages that are never touched cost no memory.
        if buffer.is_empty() {
            buffer = vec![0; self.max_datagram_size + 1];
        }
        let counters = &self.counters;
        let packet = match self.take(link, &mut buffer, details) {
            Ok(Received::Whole(len)) => {
                add(&counters.received, 1);
                let opened = self.envelopes.open(&buffer[..len]).ok_or_else(Envelope::missing);
                let decoded = opened.and_then(|datagram| self.protocol.decode(datagram));
                let decoded = decoded.map_err(|error| {
                    add(&counters.decode_errors, 1);
                    ClientRecvError::Decode(error)
                });
                if let Some(last) = self.last.get()
                    && decoded.is_ok()
                {
                    details.is_duplicate = locked(last).is_again(&buffer[..len]);
                }
                Some(decoded)
            }
            Ok(Received::TooLong) => {
                add(&counters.received, 1);
                add(&counters.too_large, 1);
                Some(Err(ClientRecvError::TooLarge { max: self.max_datagram_size }))
            }
            // `close` shuts the socket down, and systems report that in different ways.
            Err(_) if self.is_closed() => Some(Err(ClientRecvError::Closed)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => Some(Err(ClientRecvError::Io(error))),
        };
        locked(&self.buffers).push(buffer);
        packet
    }
}

const SHUT_DOWN: &str = "the socket was shut down for reading";

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{
        net::UdpSocket,
        os::{fd::OwnedFd, unix::net::UnixDatagram},
        thread,
        time::Duration,
    };

    use socket2::SockRef;

    use super::*;
    use crate::{Bytes, Raw};

    /// A client whose sends wait when its peer does not receive. On loopback, UDP drops datagrams instead.
    fn client() -> (Shared<Raw>, UnixDatagram) {
        let (one, other) = UnixDatagram::pair().unwrap();
        one.set_nonblocking(true).unwrap();
        SockRef::from(&one).set_send_buffer_size(20_000).unwrap();
        other.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        (Shared::new(Link::over(UdpSocket::from(OwnedFd::from(one))), Raw, 16, false), other)
    }

    /// Waits until another thread has sent as much as there is room for.
    fn until_full(client: &Shared<Raw>) {
        let link = client.link().unwrap();
        while link.wait_writable(Some(Instant::now())).unwrap() != Waited::TimedOut {
            thread::yield_now();
        }
    }

    // C-6, S-10
    #[test]
    fn without_room_a_send_waits_and_loses_nothing() {
        /// Many more than the buffer holds.
        const DATAGRAMS: u32 = 2_000;

        let (client, peer) = client();
        thread::scope(|scope| {
            let packets = (0..DATAGRAMS).map(|n| Bytes::copy_from_slice(&n.to_be_bytes()));
            let sending = scope.spawn(|| client.send_all(packets));
            until_full(&client);
            assert!(!sending.is_finished());

            for n in 0..DATAGRAMS {
                let mut datagram = [0; 4];
                assert_eq!(peer.recv(&mut datagram).unwrap(), 4);
                assert_eq!(datagram, n.to_be_bytes());
            }

            sending.join().unwrap().unwrap();
        });
    }

    // C-8, C-9
    #[test]
    fn closing_ends_a_send_that_waits_for_room() {
        let (client, _peer) = client();
        thread::scope(|scope| {
            let packets = (0..=u8::MAX).cycle().map(|n| Bytes::from(vec![n]));
            let sending = scope.spawn(|| client.send_all(packets));
            until_full(&client);

            client.close();

            let sent = sending.join().unwrap();
            assert!(matches!(sent, Err(ClientSendError::Closed)), "{sent:?}");
        });
    }
}
