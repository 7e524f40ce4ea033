//! Clients that observe resources.

use super::*;

/// Observes a resource; returns the token and the sequence number.
fn observe(client: &Client, path: &str) -> (Vec<u8>, Option<u32>) {
    let mut request = client.request(GET, path);
    request.options.insert(0, (OBSERVE, vec![]));
    let response = client.ask(&request);
    assert_eq!(response.code, code(2, 5));
    (request.token, response.number(OBSERVE))
}

/// Receives a notification.
fn notification(client: &Client, token: &[u8]) -> Message {
    let message = client.recv();
    assert_eq!((message.kind, &message.token[..]), (CON, token), "{message:?}");
    message
}

fn reply(client: &Client, kind: u8, message: &Message) {
    client.send(&Message::new(kind, 0, message.id, &[]));
}

#[test]
fn coap_notifies_an_observer_of_each_change_until_it_deregisters() {
    let (_program, addr) = start();
    let (observer, other) = (Client::new(&addr), Client::new(&addr));
    other.put("a", b"0");
    let (token, mut last) = observe(&observer, "a");

    for content in [b"1", b"2", b"3"] {
        assert_eq!(other.put("a", content), code(2, 4));
        let message = notification(&observer, &token);
        assert_eq!((message.code, &message.payload[..]), (code(2, 5), &content[..]));
        assert!(message.number(OBSERVE) > last, "{message:?}");
        last = message.number(OBSERVE);
        reply(&observer, ACK, &message);
    }

    let mut request = Message::new(CON, GET, 1, &token);
    request.options = vec![(OBSERVE, vec![1]), (URI_PATH, b"a".to_vec())];
    let response = observer.ask(&request);
    assert_eq!((response.number(OBSERVE), &response.payload[..]), (None, &b"3"[..]));
    other.put("a", b"4");
    observer.expect_nothing();
}

#[test]
fn coap_notifies_of_the_time() {
    let (_program, addr) = start();
    let client = Client::new(&addr);
    let (token, _) = observe(&client, "time");

    let times = [(), ()].map(|()| {
        let message = notification(&client, &token);
        reply(&client, ACK, &message);
        String::from_utf8(message.payload).unwrap().parse::<u64>().unwrap()
    });

    assert!(times[1] > times[0], "{times:?}");
}

#[test]
fn coap_forgets_an_observer_that_resets_a_notification() {
    let (_program, addr) = start();
    let client = Client::new(&addr);
    client.put("a", b"0");
    let (token, _) = observe(&client, "a");

    client.put("a", b"1");
    reply(&client, RST, &notification(&client, &token));
    client.put("a", b"2");

    client.expect_nothing();
}

#[test]
fn coap_ends_an_observation_with_its_resource() {
    let (_program, addr) = start();
    let (observer, other) = (Client::new(&addr), Client::new(&addr));
    other.put("a", b"0");
    let (token, _) = observe(&observer, "a");

    other.delete("a");
    let message = notification(&observer, &token);
    assert_eq!((message.code, message.number(OBSERVE)), (code(4, 4), None));
    reply(&observer, ACK, &message);
    other.put("a", b"1");

    observer.expect_nothing();
}

#[test]
fn coap_repeats_a_notification_and_answers_the_observer_meanwhile() {
    let (_program, addr) = start();
    let (observer, other) = (Client::new(&addr), Client::new(&addr));
    other.put("a", b"0");
    let (token, _) = observe(&observer, "a");

    other.put("a", b"1");
    let first = recv(&observer.socket);
    // Copies of it may come at any time.
    let copies = Cell::new(0);
    let next = || loop {
        let datagram = recv(&observer.socket);
        if datagram != first {
            break read(&datagram);
        }
        copies.set(copies.get() + 1);
    };

    // It is not acknowledged by another message ID or by a request, which is answered.
    observer.send(&Message::new(ACK, 0, read(&first).id ^ 1, &[]));
    observer.send(&observer.request(GET, "a"));
    assert_eq!(next().payload, b"1");
    // These changes wait.
    other.put("a", b"2");
    other.put("a", b"3");
    while copies.get() == 0 {
        observer.send(&observer.request(GET, "time"));
        assert_eq!(next().kind, ACK);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    reply(&observer, ACK, &read(&first));

    // Only the newest state is sent.
    let message = next();
    assert_eq!((message.kind, &message.token, &message.payload[..]), (CON, &token, &b"3"[..]));
    reply(&observer, ACK, &message);
    observer.expect_nothing();
}

#[test]
fn coap_observes_several_resources_for_a_client_and_at_most_eight() {
    let (_program, addr) = start();
    let client = Client::new(&addr);
    let paths: Vec<_> = (0..9).map(|n| format!("r{n}")).collect();
    paths.iter().for_each(|path| assert_eq!(client.put(path, b""), code(2, 1)));

    let observations: Vec<_> = paths.iter().map(|path| observe(&client, path)).collect();

    assert!(observations[..8].iter().all(|(_, number)| number.is_some()));
    assert_eq!(observations[8].1, None);
    for n in [3, 0, 7] {
        client.put(&paths[n], b"new");
        let message = notification(&client, &observations[n].0);
        assert_eq!(message.payload, b"new");
        reply(&client, ACK, &message);
    }
    client.put(&paths[8], b"new");
    client.expect_nothing();
}

#[test]
fn coap_sends_the_first_block_of_a_large_resource_to_an_observer() {
    let (_program, addr) = start();
    let (observer, other) = (Client::new(&addr), Client::new(&addr));
    other.put("a", b"0");
    let (token, _) = observe(&observer, "a");

    assert_eq!(other.put("a", &content(3_000)), code(2, 4));

    let message = notification(&observer, &token);
    assert_eq!(message.number(BLOCK2), Some(8 | 6));
    assert_eq!(message.payload, content(1_024));
    reply(&observer, ACK, &message);
}
