//! The client is the peer everywhere, and nobody else can say so.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use datagrammar::{
    Addr, AddressTokens, Bytes, DropReason, Guard, RateLimit, Raw, ReplyCache, Server,
    TaggedServer, Text, TokenSecret, reply_if, tagged,
};
use tracing::{Event, Level, Subscriber, field::Visit, subscriber::DefaultGuard};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt},
};

use super::{
    Net, builder,
    header::{LOCAL, extended, of, raw, tlv},
    recv, send, trusted, until,
};

const CLIENT: &str = "192.0.2.7:5000";

/// The events at WARN or above on this thread.
struct Alarms {
    told: Arc<Mutex<Vec<String>>>,
    _guard: DefaultGuard,
}

impl Alarms {
    fn capture() -> Self {
        let told = Arc::default();
        let subscriber = Registry::default().with(Capture(Arc::clone(&told)));
        Self { told, _guard: tracing::subscriber::set_default(subscriber) }
    }

    fn all(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
}

struct Capture(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        struct Fields(String);

        impl Visit for Fields {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
                self.0 += &format!("{}={value:?} ", field.name());
            }
        }

        if *event.metadata().level() <= Level::WARN {
            let mut fields = Fields(String::new());
            event.record(&mut fields);
            self.0.lock().unwrap().push(fields.0);
        }
    }
}

// O-3, O-22
#[tokio::test(start_paused = true)]
async fn a_header_of_a_source_that_is_not_trusted_changes_nobody() {
    let net = Net::serve(builder()).await;
    let stranger = net.at("172.16.0.1:5000").await;

    for datagram in [of(CLIENT, "hi"), raw(LOCAL, 0, b""), of("172.16.0.1:5000", "hi")] {
        send(&stranger, datagram).await;
    }
    send(&stranger, "direct").await;

    assert_eq!(recv(&stranger).await, "172.16.0.1:5000 direct");
    assert_eq!((net.refused(), net.handle.stats().delivered), (3, 1));
}

// O-22
#[tokio::test(start_paused = true)]
async fn with_a_required_proxy_only_proxies_are_served() {
    let net = Net::serve(builder().require_proxy(true)).await;
    let (stranger, proxy) = (net.at("172.16.0.1:5000").await, net.at("10.0.0.1:53").await);

    for datagram in ["direct".into(), of(CLIENT, "hi")] {
        send(&stranger, datagram).await;
    }
    send(&proxy, of(CLIENT, "hi")).await;

    assert_eq!(recv(&proxy).await, format!("{CLIENT} hi"));
    assert_eq!((net.refused(), net.handle.stats().delivered), (2, 1));
}

// O-22
#[tokio::test(start_paused = true)]
async fn the_first_refusal_is_logged_with_its_source_and_reason() {
    for (from, datagram, reason) in [
        ("10.0.0.1:53", b"hi".to_vec(), "no PROXY header from a trusted proxy"),
        ("10.0.0.1:53", b"PROXY UNKNOWN\r\n".to_vec(), "version 1"),
        ("172.16.0.1:5000", of(CLIENT, ""), "a PROXY header from a source that is not trusted"),
    ] {
        let alarms = Alarms::capture();
        let net = Net::serve(builder()).await;
        let socket = net.at(from).await;

        for _ in 0..3 {
            send(&socket, datagram.clone()).await;
        }
        net.received(3).await;

        assert_eq!(net.refused(), 3);
        let told = alarms.all();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains(reason) && told[0].contains(from), "{told:?}");
    }
}

// O-21
#[tokio::test(start_paused = true)]
async fn the_source_filter_and_the_rate_limit_see_the_client() {
    let filter = |peer: &Addr| peer.ip() != Some([192, 0, 2, 8].into());
    let limited = builder().source_filter(filter).rate_limit(RateLimit::per_second(1).burst(2));
    let net = Net::serve(limited).await;
    let proxy = net.at("10.0.0.1:53").await;

    for n in 0..3 {
        send(&proxy, of("192.0.2.8:5000", "filtered")).await;
        send(&proxy, of(&format!("192.0.2.7:{}", 5000 + n), "limited")).await;
        send(&proxy, of(&format!("192.0.2.{}:5000", 10 + n), "free")).await;
    }
    net.received(9).await;

    let stats = net.handle.stats();
    let dropped = [DropReason::Refused, DropReason::Rate].map(|reason| stats.dropped(reason));
    assert_eq!((dropped, stats.delivered), ([3, 1], 5));
}

// O-21
#[tokio::test(start_paused = true)]
async fn an_address_that_no_peer_can_have_is_refused() {
    let net = Net::serve(builder()).await;
    let proxy = net.at("10.0.0.1:53").await;
    let impossible = [
        "192.0.2.7:0",
        "0.0.0.0:5000",
        "224.0.0.251:5353",
        "255.255.255.255:5000",
        "[ff02::fb]:5353",
        "[::ffff:224.0.0.1]:9",
        "10.9.9.9:53",
    ];

    for client in impossible {
        send(&proxy, of(client, "hi")).await;
    }
    net.received(impossible.len() as u64).await;

    assert_eq!(net.handle.stats().dropped(DropReason::Refused), impossible.len() as u64);
}

// O-21, O-25
#[tokio::test(start_paused = true)]
async fn the_guard_sees_the_client_and_its_payload() {
    let four_times = async |bytes: Bytes| -> Bytes { bytes.repeat(4).into() };
    let guarded = Server::builder(Raw, four_times).trust_proxy(trusted()).guard(Guard::internet());
    let net = Net::serve(guarded).await;
    let proxy = net.at("10.0.0.1:53").await;

    // Four times the payload is too much, also if a long header has paid for it.
    send(&proxy, [extended(CLIENT, &tlv(4, &[0; 200])), b"0123456789".to_vec()].concat()).await;
    until(|| net.handle.stats().over_budget == 1).await;
    // The port of a reflector counts, and that of the proxy does not.
    send(&proxy, of("192.0.2.7:19", "chargen")).await;
    net.received(2).await;

    assert_eq!(net.handle.stats().dropped(DropReason::Refused), 1);
    assert_eq!(net.handle.stats().sent, 0);
}

// O-21
#[tokio::test(start_paused = true)]
async fn a_token_is_one_of_the_client_and_is_valid_through_each_proxy() {
    let tokens = AddressTokens::new(TokenSecret::from([7; 16])).required(true);
    let net = Net::serve(builder().address_token_envelope(tokens)).await;
    let (one, two) = (net.at("10.0.0.1:53").await, net.at("10.0.0.2:53").await);
    let request = |token: &[u8]| [b"\x10", token, b"hi"].concat();
    let behind = |client: &str, token: &[u8]| [extended(client, b""), request(token)].concat();

    send(&one, behind(CLIENT, &[0; 16])).await;
    let challenge = one.recv().await.unwrap();
    assert_eq!((challenge.len(), challenge[0]), (17, 0x12));
    let token = &challenge[1..];

    send(&one, behind("192.0.2.8:5000", token)).await;
    assert_eq!(one.recv().await.unwrap()[0], 0x12, "it is the token of another client");
    send(&two, behind(CLIENT, token)).await;
    assert_eq!(two.recv().await.unwrap(), format!("\x11{CLIENT} hi").as_bytes());
    send(&two, request(token)).await;
    net.received(4).await;
    assert_eq!(net.refused(), 1, "the header comes first");
}

// O-21, O-23
#[tokio::test(start_paused = true)]
async fn a_repeated_request_gets_its_reply_through_the_proxy_that_repeats_it() {
    let shout = tagged(async |text: String| text.to_uppercase());
    let cached = Server::builder(TaggedServer::new(Text), shout)
        .trust_proxy(trusted())
        .reply_cache(ReplyCache::default());
    let net = Net::serve(cached).await;
    let (one, two) = (net.at("10.0.0.1:53").await, net.at("10.0.0.2:53").await);
    let request = [extended(CLIENT, b""), b"\0\0\0\0\x07hello".to_vec()].concat();

    send(&one, request.clone()).await;
    let reply = one.recv().await.unwrap();
    send(&two, request.clone()).await;
    assert_eq!(two.recv().await.unwrap(), reply);
    send(&one, [extended("192.0.2.8:5000", b""), request[28..].to_vec()].concat()).await;
    assert_eq!(one.recv().await.unwrap(), reply);

    let stats = net.handle.stats();
    assert_eq!((stats.delivered, stats.replayed), (2, 1), "another client is another peer");
}

// O-21
#[tokio::test(start_paused = true)]
async fn events_name_the_client() {
    let alarms = Alarms::capture();
    let fails = reply_if(async |text: String| -> Option<String> { panic!("{text}") });
    let net = Net::serve(Server::builder(Text, fails).trust_proxy(trusted())).await;
    let proxy = net.at("10.0.0.1:53").await;

    send(&proxy, of(CLIENT, "oh")).await;
    until(|| net.handle.stats().panicked == 1).await;

    let told = alarms.all();
    assert!(told.len() == 1 && told[0].contains(CLIENT), "{told:?}");
}

// O-27
#[tokio::test(start_paused = true)]
async fn without_trust_a_header_is_a_part_of_the_datagram() {
    let echo = async |bytes: Bytes| bytes;
    let net = Net::serve(Server::builder(Raw, echo)).await;
    let proxy = net.at("10.0.0.1:53").await;

    send(&proxy, of(CLIENT, "hi")).await;

    assert_eq!(recv_bytes(&proxy).await, of(CLIENT, "hi"));
}

async fn recv_bytes(socket: &datagrammar::Client<Raw>) -> Bytes {
    super::within(socket.recv()).await.unwrap()
}
