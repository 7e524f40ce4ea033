//! Codecs of tokio-util, made for streams, on datagrams.

use std::{fmt, marker::PhantomData};

use datagrammar_protocols::{BoxError, DatagramProtocol, DecodeError, EncodeError};
use tokio_util::{
    bytes::BytesMut,
    codec::{Decoder, Encoder},
};

/// A codec of [tokio-util] as a protocol: it receives the items of its [`Decoder`][decoder], and sends values
/// of type `O`.
///
/// Add `tokio-util = { version = "0.7", features = ["codec"] }` to your program.
///
/// Use it for a codec that exists already, for example because the same packets also go over TCP. Such a
/// codec is made for streams, in which a packet may arrive in pieces, or several at once. Here each datagram is exactly
/// one packet, so these are decode errors:
///
/// - The codec needs more bytes. The end of a datagram does not count as the end of a stream. So for
///   [`LinesCodec`](https://docs.rs/tokio-util/0.7/tokio_util/codec/struct.LinesCodec.html), a line without
///   its terminator (`hello`) is incomplete. An empty datagram is never a packet, even if the codec encodes a
///   packet as no bytes, as
///   [`BytesCodec`](https://docs.rs/tokio-util/0.7/tokio_util/codec/struct.BytesCodec.html) does for empty
///   `Bytes`.
/// - Bytes are left after the packet, or the codec returns a second packet. So for `LinesCodec`, two lines in
///   one datagram (`a\nb\n`) are an error.
///
/// The closure makes a new codec for each datagram that is decoded or encoded. So an incomplete packet or an
/// error in one datagram does not affect the next, unless the codecs share state.
///
/// # Porting from `UdpFramed`
///
/// tokio-util's `UdpFramed` with `LinesCodec` accepts both datagrams: it returns one line for `hello`, and
/// two lines for `a\nb\n`. `StreamCodec` refuses both, and then a server sends no answer; it logs the error
/// at DEBUG. If your peers send such datagrams, use the protocol [`TextLine`](crate::TextLine), or implement
/// [`DatagramProtocol`] for the packets.
///
/// ```
/// use datagrammar::{DatagramProtocol, StreamCodec, TextLine};
/// use tokio_util::codec::LinesCodec;
///
/// let lines = StreamCodec::<_, String>::new(LinesCodec::new);
/// assert_eq!(lines.decode(b"hello\n")?, "hello");
/// assert!(lines.decode(b"hello").is_err());
/// assert!(lines.decode(b"a\nb\n").is_err());
///
/// assert_eq!(TextLine::new().decode(b"hello")?, "hello");
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
///
/// # Limits
///
/// `StreamCodec` does not limit the memory that a codec allocates. A
/// [`LengthDelimitedCodec`](https://docs.rs/tokio-util/0.7/tokio_util/codec/length_delimited/struct.LengthDelimitedCodec.html)
/// reserves the length that a datagram declares: up to 8 MiB of virtual memory for a datagram of 4 bytes. So
/// set its `max_frame_length`, as in the example.
///
/// Each datagram is copied once when it is decoded, and once when it is encoded. A packet is cloned before it
/// is encoded, because an [`Encoder`][encoder] takes it by value.
///
/// [tokio-util]: https://docs.rs/tokio-util/0.7/tokio_util/codec/index.html
/// [decoder]: https://docs.rs/tokio-util/0.7/tokio_util/codec/trait.Decoder.html
/// [encoder]: https://docs.rs/tokio-util/0.7/tokio_util/codec/trait.Encoder.html
///
/// # Examples
///
/// ```
/// use datagrammar::{DatagramProtocol, StreamCodec};
/// use tokio_util::{bytes::Bytes, codec::LengthDelimitedCodec};
///
/// let protocol = StreamCodec::new(|| {
///     LengthDelimitedCodec::builder()
///         .length_field_type::<u16>()
///         .max_frame_length(1_200)
///         .new_codec()
/// });
///
/// let mut datagram = Vec::new();
/// protocol.encode(&Bytes::from_static(b"hello"), &mut datagram)?;
///
/// assert_eq!(datagram, b"\0\x05hello");
/// assert_eq!(protocol.decode(&datagram)?, "hello");
/// assert!(protocol.decode(b"\0\x05hell").is_err());
/// assert!(protocol.decode(b"\0\x05hello\0\x05hello").is_err());
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[doc(alias = "UdpFramed")]
pub struct StreamCodec<F, O> {
    codec: F,
    outgoing: PhantomData<fn(O)>,
}

impl<F, O> StreamCodec<F, O> {
    /// Makes the protocol from a closure that makes the codec, such as `LinesCodec::new`.
    ///
    /// The compiler infers the type of the sent packets from the handler or from the first `send`.
    #[must_use]
    pub const fn new<C>(codec: F) -> Self
    where
        F: Fn() -> C,
        C: Decoder + Encoder<O>,
    {
        Self { codec, outgoing: PhantomData }
    }
}

impl<F, C, O> DatagramProtocol for StreamCodec<F, O>
where
    F: Fn() -> C,
    C: Decoder<Error: Into<BoxError>> + Encoder<O, Error: Into<BoxError>>,
    O: Clone,
{
    type Incoming = C::Item;
    type Outgoing = O;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        let mut codec = (self.codec)();
        let mut bytes = BytesMut::from(datagram);
        let packet = match codec.decode(&mut bytes) {
            Ok(Some(packet)) => packet,
            Ok(None) => return Err(DecodeError::codec("unexpected end of datagram")),
            Err(error) => {
                return Err(
                    DecodeError::codec("invalid packet of the stream codec").with_source(error)
                );
            }
        };

        let trailing = DecodeError::codec("trailing bytes after the packet");
        if !bytes.is_empty() {
            return Err(trailing);
        }
        // The codec may have read more bytes than the packet it returned.
        match codec.decode_eof(&mut bytes) {
            Ok(None) => Ok(packet),
            Ok(Some(_)) => Err(trailing),
            Err(error) => Err(trailing.with_source(error)),
        }
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut bytes = BytesMut::new();
        Encoder::encode(&mut (self.codec)(), packet.clone(), &mut bytes).map_err(|error| {
            EncodeError::codec("the stream codec cannot express the packet").with_source(error)
        })?;
        datagram.extend_from_slice(&bytes);
        Ok(())
    }
}

impl<F: Clone, O> Clone for StreamCodec<F, O> {
    fn clone(&self) -> Self {
        Self { codec: self.codec.clone(), outgoing: PhantomData }
    }
}

impl<F: Copy, O> Copy for StreamCodec<F, O> {}

impl<F, O> fmt::Debug for StreamCodec<F, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamCodec").finish_non_exhaustive()
    }
}
