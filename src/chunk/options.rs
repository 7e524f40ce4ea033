//! The options of packets that are longer than one datagram.

use std::time::Duration;

use super::format::{HEADER, SHORTEST};
use crate::{LimitError, Limits, ReplyCache, token::Envelope};

/// The options of packets that are longer than one datagram: how long they may be, and how much memory they take until
/// they are complete. Pass them to [`ServerBuilder::chunked`](crate::ServerBuilder::chunked) and
/// [`RequestClientBuilder::chunked`](crate::RequestClientBuilder::chunked). Client and server must both have them, since
/// they change the format of all datagrams.
///
/// A long request or response is sent in chunks, each of which is a datagram. The handler and the caller receive it when
/// it is complete, and never a part of it. Use it for packets that are sometimes too long for a datagram: a list, an
/// image, a configuration. To transfer files or streams, use TCP or QUIC.
///
/// - **Loss.** The request client asks for the chunks of a response that are missing, and sends those of its request again
///   that the server has not received. Only another attempt of a request also repeats the first chunks of the response.
/// - **Congestion.** The first 10 chunks of a packet are sent at once. When these have arrived, 20 follow, then 40, and
///   then 64 at a time. When one is lost, that number halves, down to 4.
/// - **Requests run once.** Chunks of a request that the server has received are recognized as a repetition, as with any
///   other request. A server with this option has a [reply cache](crate::ReplyCache): the chunks of a response that are
///   missing are read from there. So a response that the cache has forgotten is not completed, and its request is served
///   again.
/// - **Without ids**, as with [`LockStep`](crate::LockStep), the reply cache takes a short request for a repetition if the
///   peer has sent the same bytes within 30 s. Set [`ReplyCache::ttl`](crate::ReplyCache::ttl) to less if that is wrong.
/// - **Shutdown.** A long response is sent when its first chunks are. If a shutdown or a drain begins then, its client does
///   not get the others.
/// - **One response.** Only the first reply to a request can be long, and only while the reply cache knows the request:
///   other long packets fail with [`SendError::TooLarge`](crate::SendError::TooLarge). If the future that sends it is dropped, or fails, some
///   chunks may have been sent; the client does not join them with those of another reply.
///
/// | option | default |
/// | --- | --- |
/// | [`chunk_size`](Self::chunk_size) | 1,200 bytes |
/// | [`timeout`](Self::timeout) | 3 s |
/// | [`max_packets`](Self::max_packets) | 1,024 |
/// | [`max_bytes`](Self::max_bytes) | 64 MiB, or twice the longest packet if that is more |
/// | [`max_packets_per_peer`](Self::max_packets_per_peer) | 64, as many as a request client has in flight |
/// | [`max_bytes_per_peer`](Self::max_bytes_per_peer) | a quarter of `max_bytes`, or the longest packet if that is more |
///
/// All except `chunk_size` are about the requests that arrive at a server. A client keeps at most two incomplete responses
/// for each request in flight.
///
/// Beyond the limits of one peer, chunks of its further requests are dropped. If chunks of a request that has begun find no
/// room, the server gives up another request of that peer of which no more chunks have arrived. Beyond the limits of all
/// peers, it gives up the request of which the fewest chunks have arrived, to begin a new one too. Both are counted in
/// [`ServerStats::incomplete`](crate::ServerStats::incomplete).
///
/// Other limits also apply to long packets. A server whose limits are smaller than one packet is not bound:
///
/// | limit | default | should be |
/// | --- | --- | --- |
/// | [`Limits::max_queue_bytes`](crate::Limits::max_queue_bytes) | 1 MiB | more than the longest packet: a request waits in the queue of its peer |
/// | [`ReplyCache::max_bytes`](crate::ReplyCache::max_bytes) | 16 MiB | more than all responses of 30 s together: when a response is forgotten, it is not completed, and a repetition of its request is served again |
///
/// # Format
///
/// All numbers are big-endian. The first byte of each datagram is its kind:
///
/// | byte | content |
/// | --- | --- |
/// | 0 | **0**: a whole packet |
/// | 1 to the end | the packet, as the protocol has encoded it |
///
/// | byte | content |
/// | --- | --- |
/// | 0 | **1**: a chunk; **2**: a chunk whose sender wants to know which chunks are missing |
/// | 1 to 8 | the [id](crate::Correlated::id) of the request; its response has the same |
/// | 9 to 12 | the number of the packet: packets with the same id and other bytes have different numbers |
/// | 13, 14 | the number of the chunk, from 0 |
/// | 15, 16 | the number of the last chunk, at least 1 |
/// | 17 to the end | a part of the packet. All chunks but the last have the same length, at least 512 bytes; the last one is not longer, and not empty |
///
/// | byte | content |
/// | --- | --- |
/// | 0 | **3**: chunks that are missing |
/// | 1 to 12 | the id and the number of the packet, as in its chunks |
/// | 13 to the end | 1 to 64 ranges of chunks: the first (2 bytes) and the last (2 bytes) |
///
/// If both sides also have the [envelope](crate::ServerBuilder::address_token_envelope) of address tokens, each of these
/// datagrams is in one, and `chunk_size` includes it.
///
/// A server sends kind 3 to a peer that has sent kind 2, and it is not longer than that. A client sends it when chunks of a
/// response are missing, or to get the next ones.
///
/// For example, with the id 7 and the number 9, the last of two chunks (`"end"`), and a request for the first one:
///
/// ```text
/// 01 0000000000000007 00000009 0001 0001 656e64
/// 03 0000000000000007 00000009 0000 0000
/// ```
///
/// # Security
///
/// A layer such as [`Sealed`](crate::Sealed) protects the packet, and not the header of a chunk. An attacker who sees the
/// datagrams can forge chunks, so that a packet does not decode. One who does not see them has to guess the id, the number
/// and the port.
///
/// A short request with a forged source address makes the server send up to 10 datagrams of 1,200 bytes to that address.
/// Use `Chunked` on networks that you trust, with a [rate limit](crate::ServerBuilder::rate_limit), or with the
/// [envelope](crate::ServerBuilder::address_token_envelope) of address tokens and tokens
/// [required](crate::AddressTokens::required). Then nothing is kept for chunks without a token. Each chunk and each
/// list counts towards that limit: a request of 500 kB is 423 datagrams.
///
/// # Examples
///
/// ```
/// use datagrammar::{Chunked, RequestClient, Server, Tagged, TaggedServer, Text, tagged};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), datagrammar::BoxError> {
/// let double = tagged(async |text: String| text.repeat(2));
/// let server = Server::builder(TaggedServer::new(Text), double)
///     .chunked(Chunked::with_limit(500_000))
///     .bind("127.0.0.1:0")
///     .await?;
/// let client = RequestClient::builder(Tagged::new(Text))
///     .chunked(Chunked::with_limit(500_000))
///     .connect(server.local_addr())
///     .await?;
/// server.spawn();
///
/// let text = "x".repeat(100_000);
/// assert_eq!(client.request(&text).await?.len(), 200_000);
/// # Ok(())
/// # }
/// ```
#[doc(alias("fragmentation", "segmentation", "large", "message size", "block-wise"))]
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it has an effect only when it is given to a server or a client"]
pub struct Chunked {
    pub(super) max_len: usize,
    chunk_size: usize,
    pub(super) timeout: Duration,
    pub(super) max_packets: usize,
    max_bytes: Option<usize>,
    pub(super) max_packets_per_peer: usize,
    max_bytes_per_peer: Option<usize>,
    /// How many bytes of an envelope are in front of each datagram that is sent.
    envelope: usize,
}

/// How many chunks a packet has at most.
const MOST: usize = 1 << 16;

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

impl Chunked {
    /// Allows packets of up to this many bytes, as the protocol encodes them. A packet has at most 65,536 chunks, which
    /// is about 77 MB with the default [`chunk_size`](Self::chunk_size). With the default limits of a server, it may be up
    /// to 1,048,575 bytes.
    pub const fn with_limit(bytes: usize) -> Self {
        Self {
            max_len: bytes,
            chunk_size: 1_200,
            timeout: Duration::from_secs(3),
            max_packets: 1_024,
            max_bytes: None,
            max_packets_per_peer: 64,
            max_bytes_per_peer: None,
            envelope: 0,
        }
    }

    /// Sets the length of the longest datagram of a request or reply, in bytes: longer ones are sent in chunks. One-way
    /// packets, and those with file descriptors, are always one datagram. The default is
    /// 1,200, which every path carries without fragmentation (RFC 9000, section 14). Less than 576 counts as 576, and
    /// more than 65,507 as 65,507. The other side may have another size.
    pub const fn chunk_size(mut self, bytes: usize) -> Self {
        self.chunk_size = bytes;
        self
    }

    /// Sets how long the server waits for the next new chunk of a request, before it gives up the request. The default is
    /// 3 seconds.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how many incomplete requests the server keeps. The default is 1,024.
    pub const fn max_packets(mut self, packets: usize) -> Self {
        self.max_packets = packets;
        self
    }

    /// Sets how many bytes of memory incomplete requests take. The default is 64 MiB, or twice the
    /// longest packet if that is more. Each one counts its chunks, 96 bytes for each chunk, and 512 bytes.
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Sets how many incomplete requests of one peer the server keeps. The default is 64. Chunks of further ones are
    /// dropped.
    pub const fn max_packets_per_peer(mut self, packets: usize) -> Self {
        self.max_packets_per_peer = packets;
        self
    }

    /// Sets how many bytes of memory incomplete requests of one peer take, counted as for
    /// [`max_bytes`](Self::max_bytes). The default is a quarter of that, or the
    /// longest packet if that is more.
    pub const fn max_bytes_per_peer(mut self, bytes: usize) -> Self {
        self.max_bytes_per_peer = Some(bytes);
        self
    }

    /// Returns how many bytes a packet may have; see [`with_limit`](Self::with_limit).
    #[must_use]
    pub const fn get_limit(&self) -> usize {
        let most = (self.longest_in_envelope() - HEADER) * MOST;
        if self.max_len < most { self.max_len } else { most }
    }

    /// Returns the length of the longest datagram that is sent; see [`chunk_size`](Self::chunk_size).
    #[must_use]
    pub const fn get_chunk_size(&self) -> usize {
        const LEAST: usize = 576;
        const MOST: usize = 65_507;
        const _: () = assert!(LEAST >= Envelope::REQUEST_HEADER + SHORTEST + HEADER);

        match self.chunk_size {
            ..LEAST => LEAST,
            LEAST..MOST => self.chunk_size,
            MOST.. => MOST,
        }
    }

    /// Makes room for an envelope in front of each datagram that is sent.
    pub(crate) const fn in_envelope(mut self, bytes: usize) -> Self {
        self.envelope = bytes;
        self
    }

    /// The length of the longest datagram that is sent, without its envelope.
    pub(crate) const fn longest_in_envelope(&self) -> usize {
        self.get_chunk_size() - self.envelope
    }

    /// Returns how long the server waits for the next chunk; see [`timeout`](Self::timeout).
    #[must_use]
    pub const fn get_timeout(&self) -> Duration {
        self.timeout
    }

    /// Returns how many incomplete requests the server keeps; see [`max_packets`](Self::max_packets).
    #[must_use]
    pub const fn get_max_packets(&self) -> usize {
        self.max_packets
    }

    /// Returns how many bytes of memory incomplete requests take; see [`max_bytes`](Self::max_bytes).
    #[must_use]
    pub const fn get_max_bytes(&self) -> usize {
        match self.max_bytes {
            Some(bytes) => bytes,
            None => max(64 << 20, self.longest().saturating_mul(2)),
        }
    }

    /// Returns how many incomplete requests of one peer the server keeps; see
    /// [`max_packets_per_peer`](Self::max_packets_per_peer).
    #[must_use]
    pub const fn get_max_packets_per_peer(&self) -> usize {
        self.max_packets_per_peer
    }

    /// Returns how many bytes of memory incomplete requests of one peer take; see
    /// [`max_bytes_per_peer`](Self::max_bytes_per_peer).
    #[must_use]
    pub const fn get_max_bytes_per_peer(&self) -> usize {
        match self.max_bytes_per_peer {
            Some(bytes) => bytes,
            None => max(self.get_max_bytes() / 4, self.longest()),
        }
    }

    /// The most memory that the chunks of one packet take, if they are as short as possible.
    const fn longest(&self) -> usize {
        self.get_limit() + self.get_limit() / 5 + 1_024
    }

    /// Returns an error if another limit leaves no room for the longest packet.
    pub(crate) fn check_others(
        &self,
        limits: &Limits,
        cache: &ReplyCache,
    ) -> Result<(), LimitError> {
        /// What a request counts besides its reply, with the longest name of a Unix socket.
        const REQUEST: usize = 512;
        /// What a datagram that waits counts besides its bytes.
        const WAITING: usize = 512;

        let longest = self.get_limit() + 1;
        let others = [
            ("Chunked::max_bytes", self.get_max_bytes(), self.longest()),
            ("Chunked::max_bytes_per_peer", self.get_max_bytes_per_peer(), self.longest()),
            ("Limits::max_datagram_size", limits.max_datagram_size, self.get_chunk_size()),
            ("Limits::max_queue_bytes", limits.max_queue_bytes, longest),
            ("Limits::max_total_queue_bytes", limits.max_total_queue_bytes, longest + WAITING),
            ("ReplyCache::max_bytes", cache.get_max_bytes(), longest + REQUEST),
        ];
        match others.into_iter().find(|(_, value, needed)| value < needed) {
            Some((limit, value, needed)) => Err(LimitError::TooSmall { limit, value, needed }),
            None => Ok(()),
        }
    }

    /// Returns an error if a limit is 0.
    pub(crate) fn check(&self) -> Result<(), LimitError> {
        let zero = [
            ("Chunked::with_limit", self.max_len == 0),
            ("Chunked::timeout", self.timeout.is_zero()),
            ("Chunked::max_packets", self.max_packets == 0),
            ("Chunked::max_bytes", self.get_max_bytes() == 0),
            ("Chunked::max_packets_per_peer", self.max_packets_per_peer == 0),
            ("Chunked::max_bytes_per_peer", self.get_max_bytes_per_peer() == 0),
        ];
        match zero.iter().find(|(_, zero)| *zero) {
            Some((name, _)) => Err(LimitError::Zero(name)),
            None => Ok(()),
        }
    }
}
