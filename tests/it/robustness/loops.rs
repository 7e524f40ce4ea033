//! Row 10: two servers of ours, and one datagram that claims to come from the other one. A reply to it must not be
//! answered: neither one that does not decode, nor one that is of another type than a request.

use std::{fmt::Debug, time::Duration};

use datagrammar::{
    DatagramProtocol, Json, Server, ServerBuilder, ServerStats, TaggedServer, Text, tagged,
};
use serde::{Deserialize, Serialize};

use crate::support::{BindNow, Bytes, Net, Running, client_on};

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Question {
    item: String,
    count: u32,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Answer {
    prices: Vec<f64>,
}

fn question() -> Question {
    Question { item: "tea".to_owned(), count: 2 }
}

async fn price(question: Question) -> Answer {
    Answer { prices: vec![1.5; question.count as usize] }
}

/// Sends `datagram` to one of two servers, from the address of the other; returns how many datagrams each has sent.
async fn sent<P>(datagram: &[u8], server: impl Fn() -> ServerBuilder<P>) -> (u64, u64) {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let first = server().bind_now(network.bind("10.0.0.1:7000").unwrap()).unwrap();
    // It leaves the address before the second server has it, and waits in the buffer of the first one.
    let forger = network.connect("10.0.0.2:7000", "10.0.0.1:7000").unwrap();
    Bytes(client_on(forger, datagrammar::Raw).unwrap()).send(datagram).await;
    let second = server().bind_now(network.bind("10.0.0.2:7000").unwrap()).unwrap();

    let (second, first) = (Running::start(second).await, Running::start(first).await);
    tokio::time::sleep(Duration::from_secs(1)).await;

    let stats: [ServerStats; 2] = [first.handle.stats(), second.handle.stats()];
    assert_eq!(stats[0].received, 1 + stats[1].sent, "the datagram has arrived");
    assert_eq!(stats[1].received, stats[0].sent);
    first.stop().await;
    second.stop().await;
    (stats[0].sent, stats[1].sent)
}

fn encoded<P: DatagramProtocol>(protocol: &P, packet: &P::Outgoing) -> Vec<u8> {
    let mut datagram = Vec::new();
    protocol.encode(packet, &mut datagram).unwrap();
    datagram
}

/// A valid datagram gets one reply, and the reply none. One that is cut gets none.
async fn ends<C, P>(client: C, server: impl Fn() -> ServerBuilder<P>)
where
    C: DatagramProtocol<Outgoing = Question>,
{
    let mut datagram = encoded(&client, &question());
    assert_eq!(sent(&datagram, &server).await, (1, 0));

    datagram.truncate(datagram.len() - 1);
    assert_eq!(sent(&datagram, &server).await, (0, 0));
}

macro_rules! codecs {
    ($($(#[$attr:meta])* $name:ident: $client:expr, $server:expr;)+) => {$(
        //
        $(#[$attr])*
        #[tokio::test(start_paused = true)]
        async fn $name() {
            ends($client, || Server::builder($server, price)).await;
        }
    )+};
}

codecs! {
    json: Json::<Answer, Question>::new(), Json::<Question, Answer>::new();
    #[cfg(feature = "cbor")]
    cbor: datagrammar::Cbor::<Answer, Question>::new(), datagrammar::Cbor::<Question, Answer>::new();
    #[cfg(feature = "msgpack")]
    msgpack: datagrammar::Msgpack::<Answer, Question>::new(), datagrammar::Msgpack::<Question, Answer>::new();
    #[cfg(feature = "postcard")]
    postcard: datagrammar::Postcard::<Answer, Question>::new(), datagrammar::Postcard::<Question, Answer>::new();
    #[cfg(feature = "bincode")]
    bincode: datagrammar::Bincode::<Answer, Question>::new(), datagrammar::Bincode::<Question, Answer>::new();
    #[cfg(feature = "bincode")]
    bincode_fixed:
        datagrammar::Bincode::<Answer, Question>::new().fixed(), datagrammar::Bincode::<Question, Answer>::new().fixed();
}

/// A question and an answer of the fixed layout, which allows no text and no lists.
#[cfg(feature = "fixed")]
#[tokio::test(start_paused = true)]
async fn fixed() {
    use datagrammar::Fixed;

    let server = || {
        let protocol = Fixed::<(u32, u16), (f64, bool)>::new();
        Server::builder(protocol, async |(count, _): (u32, u16)| (f64::from(count), true))
    };
    let datagram = encoded(&Fixed::<(f64, bool), (u32, u16)>::new(), &(7, 1));
    assert_eq!(sent(&datagram, server).await, (1, 0));
    assert_eq!(sent(&datagram[1..], server).await, (0, 0));
}

/// With tags, a reply is not a request, whatever the codec: here text, which decodes to text.
#[tokio::test(start_paused = true)]
async fn tags_around_a_symmetric_codec() {
    let server = || Server::builder(TaggedServer::new(Text), tagged(async |text: String| text));
    let request = [b"\x00abcd".as_slice(), b"hello"].concat();
    assert_eq!(sent(&request, server).await, (1, 0));
    assert_eq!(sent(b"\x00abc", server).await, (0, 0));
}

/// Bytes that the codec and the layers of an echo server do not decode.
async fn junk_gets_no_reply<P>(protocol: impl Fn() -> P)
where
    P: DatagramProtocol<Incoming = String, Outgoing = String> + Send + Sync + 'static,
{
    let echo = || Server::builder(protocol(), async |text: String| text);
    assert_eq!(sent(b"\xff\xfe\xfd", echo).await, (0, 0));
}

macro_rules! layers {
    ($($(#[$attr:meta])* $name:ident: $protocol:expr;)+) => {$(
        //
        $(#[$attr])*
        #[tokio::test(start_paused = true)]
        async fn $name() {
            junk_gets_no_reply(|| $protocol).await;
        }
    )+};
}

layers! {
    text: Text;
    text_line: datagrammar::TextLine::new().utf8();
    #[cfg(feature = "base64")]
    base64: Text.layer(datagrammar::Base64::new().standard());
    #[cfg(feature = "sha256")]
    sha256: Text.layer(datagrammar::Sha256Digest);
    #[cfg(feature = "crc32c")]
    crc32c: Text.layer(datagrammar::Crc32c);
    #[cfg(feature = "signed")]
    signed: Text.layer(datagrammar::Signed::new(&datagrammar::SigningKey::from([7; 32])));
    #[cfg(feature = "sealed")]
    sealed: Text.layer(datagrammar::Sealed::new(1, &datagrammar::SealingKey::from([7; 32])));
    #[cfg(feature = "zlib")]
    zlib: Text.layer(datagrammar::Zlib::with_limit(1_000));
    #[cfg(feature = "bzip2")]
    bzip2: Text.layer(datagrammar::Bzip2::with_limit(1_000));
    #[cfg(feature = "zstd")]
    zstd: Text.layer(datagrammar::Zstd::with_limit(1_000));
    #[cfg(feature = "lz4")]
    lz4: Text.layer(datagrammar::Lz4::with_limit(1_000));
}
