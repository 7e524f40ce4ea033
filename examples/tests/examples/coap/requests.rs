//! Requests about resources.

use coap_lite::Packet;
use datagrammar::RequestClient;
use tokio::time::Duration;

use super::*;
use crate::relay::Relay;

#[test]
fn coap_creates_changes_reads_and_deletes_resources() {
    let (_program, addr) = start();
    let client = Client::new(&addr);

    assert_eq!(client.put("a/b", b"1"), code(2, 1));
    assert_eq!(client.put("a/b", b"2"), code(2, 4));
    let response = client.get("a/b");
    assert_eq!((response.code, &response.payload[..]), (code(2, 5), &b"2"[..]));
    assert_eq!(response.number(BLOCK2), None);
    assert_ne!(client.get("time").payload, b"");

    let list = client.get(".well-known/core");
    assert_eq!(String::from_utf8(list.payload.clone()).unwrap(), "</a/b>;obs,</time>;obs");
    assert_eq!(list.number(CONTENT_FORMAT), Some(40));

    assert_eq!(client.delete("a/b"), code(2, 2));
    assert_eq!(client.get("a/b").code, code(4, 4));
    assert_eq!(client.delete("a/b"), code(2, 2));
    assert_eq!(client.get(".well-known/core").payload, b"</time>;obs");
}

#[test]
fn coap_refuses_what_it_cannot_do() {
    let (_program, addr) = start();
    let client = Client::new(&addr);

    assert_eq!(client.get("none").code, code(4, 4));
    assert_eq!(client.get("no such~name").code, code(4, 0));
    assert_eq!(client.put("<a>", b""), code(4, 0));
    assert_eq!(client.put("a/", b""), code(4, 0));
    assert_eq!(client.put(&"long/".repeat(51), b""), code(4, 0));
    assert_eq!(client.put(&["long"; 52].join("/"), b""), code(4, 0));
    for (method, path) in
        [(POST, "a"), (5, "a"), (31, "a"), (PUT, "time"), (DELETE, ".well-known/core")]
    {
        assert_eq!(client.ask(&client.request(method, path)).code, code(4, 5), "{method} {path}");
    }

    // If-Match, Uri-Query and others are critical and unknown.
    for (number, len) in [(1, 1), (15, 1), (65_535, 0)] {
        let mut request = client.request(GET, "time");
        request.options.push((number, vec![b'a'; len]));
        request.options.sort();
        assert_eq!(client.ask(&request).code, code(4, 2), "{number}");
        request.kind = NON;
        request.id += 0x1000;
        client.send(&request);
        client.expect_nothing();
    }
    // These are not critical, or known.
    for number in [0, 3, 12, 14, 60, 65_000] {
        let mut request = client.request(GET, "time");
        request.options.push((number, vec![b'a'; 4]));
        request.options.sort();
        assert_eq!(client.ask(&request).code, code(2, 5), "{number}");
    }
}

#[test]
fn coap_resets_what_is_no_request_and_ignores_what_is_no_message() {
    let (_program, addr) = start();
    let client = Client::new(&addr);

    for silent in [
        Message::new(ACK, 0, 1, &[]),
        Message::new(RST, 0, 2, &[]),
        Message::new(NON, 0, 3, &[]),
        Message::new(NON, code(2, 5), 4, &[1]),
        Message::new(ACK, code(2, 5), 5, &[1]),
    ] {
        client.send(&silent);
    }
    // Not even a head, another version, and messages that need no acknowledgment.
    for datagram in
        [&b""[..], b"\x40\x01\x00", b"\x80\x01\x00\x01", b"\x50\x01\x00\x01\xff", b"\x71\0\0\0"]
    {
        client.socket.send(datagram).unwrap();
    }
    client.expect_nothing();

    client.socket.send(b"\x40\x01\x60\x01\xff").unwrap();
    assert_eq!(client.recv(), Message::new(RST, 0, 0x6001, &[]));

    for code in [code(1, 0), code(2, 5), code(6, 1), code(7, 31)] {
        client.send(&Message::new(CON, code, 0x7000 + u16::from(code), &[1]));
        assert_eq!(client.recv(), Message::new(RST, 0, 0x7000 + u16::from(code), &[]));
    }
}

#[test]
fn coap_handles_a_repeated_request_once() {
    let (_program, addr) = start();
    let client = Client::new(&addr);
    let mut request = client.request(PUT, "a");
    request.payload = b"1".to_vec();

    client.send(&request);
    let first = recv(&client.socket);
    let tag = client.get("a").number(ETAG);
    client.send(&request);

    assert_eq!(recv(&client.socket), first);
    assert_eq!(read(&first).code, code(2, 1));
    assert_eq!(client.get("a").number(ETAG), tag);

    // The same from another client is another request.
    assert_eq!(Client::new(&addr).ask(&request).code, code(2, 4));
    assert_ne!(client.get("a").number(ETAG), tag);
}

#[test]
fn coap_answers_a_non_confirmable_request_with_an_id_of_its_own() {
    let (_program, addr) = start();
    let client = Client::new(&addr);
    let mut request = client.request(PUT, "a");
    request.kind = NON;

    client.send(&request);
    let first = client.recv();
    client.send(&request);
    client.expect_nothing();
    request.id += 0x1000;
    client.send(&request);
    let second = client.recv();

    assert_eq!((first.kind, first.code, &first.token), (NON, code(2, 1), &request.token));
    assert_eq!((second.kind, second.code, &second.token), (NON, code(2, 4), &request.token));
    assert_ne!(first.id, second.id);
}

#[test]
fn coap_has_at_most_64_resources() {
    let (_program, addr) = start();
    let client = Client::new(&addr);

    let codes: Vec<_> = (0..70).map(|n| client.put(&format!("r{n}"), b"")).collect();

    // One is the time, and one is the list.
    assert!(codes[..62].iter().all(|created| *created == code(2, 1)));
    assert!(codes[62..].iter().all(|refused| *refused == code(5, 3)));
    assert_eq!(client.put("r0", b"new"), code(2, 4));
    assert_eq!(client.delete("r0"), code(2, 2));
    assert_eq!(client.put("r63", b""), code(2, 1));
}

#[tokio::test]
async fn coap_creates_each_resource_once_through_loss_and_duplicates() {
    let (_program, addr) = start();
    let relay = Relay::start(addr.parse().unwrap(), 1).await;
    let client = RequestClient::builder(Coap)
        .initial_timeout(Duration::from_millis(50))
        .min_timeout(Duration::from_millis(30))
        .max_timeout(Duration::from_millis(200))
        .connect(relay.addr().to_string())
        .await
        .unwrap();

    let asking = (0..60).map(|n: u8| {
        let client = client.clone();
        tokio::spawn(async move {
            let mut request = Message::new(CON, PUT, 0, &[n]);
            request.options.push((URI_PATH, format!("r{n}").into_bytes()));
            Message::from(client.request(Packet::from(&request)).await.unwrap()).code
        })
    });
    for created in asking.collect::<Vec<_>>() {
        // If a repetition were handled, its response would be 2.04.
        assert_eq!(created.await.unwrap(), code(2, 1));
    }
    assert!(client.stats().retries > 15, "{}", client.stats());

    let ping = Packet::from(&Message::new(CON, 0, 0, &[]));
    let pong = Message::from(client.request(ping).await.unwrap());
    assert_eq!((pong.kind, pong.code), (RST, 0));
}
