//! Transfers in blocks.

use super::*;

/// The value of a Block option.
fn block(number: usize, has_more: bool, exponent: u32) -> u32 {
    (number as u32) << 4 | u32::from(has_more) << 3 | exponent
}

/// Sends one block; returns the response.
fn put_block(client: &Client, path: &str, value: u32, bytes: &[u8]) -> Message {
    let mut request = client.request(PUT, path);
    request.add(BLOCK1, value);
    request.payload = bytes.to_vec();
    client.ask(&request)
}

fn put_all(client: &Client, path: &str, content: &[u8], exponent: u32) -> Message {
    let blocks = content.chunks(16 << exponent);
    let last = blocks.len() - 1;
    for (n, bytes) in blocks.enumerate() {
        let value = block(n, n < last, exponent);
        let response = put_block(client, path, value, bytes);
        assert_eq!(response.number(BLOCK1), Some(value));
        if n == last {
            return response;
        }
        assert_eq!(response.code, code(2, 31));
    }
    unreachable!("there is a last block")
}

fn get_block(client: &Client, path: &str, value: u32) -> Message {
    let mut request = client.request(GET, path);
    request.add(BLOCK2, value);
    client.ask(&request)
}

fn get_all(client: &Client, path: &str, exponent: u32) -> Vec<u8> {
    let mut content = Vec::new();
    for n in 0.. {
        let response = get_block(client, path, block(n, false, exponent));
        content.extend(&response.payload);
        let has_more = response.number(BLOCK2).unwrap() & 8 != 0;
        assert_eq!(response.number(BLOCK2), Some(block(n, has_more, exponent)));
        if !has_more {
            break;
        }
    }
    content
}

#[test]
fn coap_receives_and_sends_resources_in_blocks_of_each_size() {
    let (_program, addr) = start();
    let client = Client::new(&addr);

    for (exponent, len) in [(0, 1), (0, 16), (0, 17), (2, 9_000), (6, 73_000), (6, 128 << 10)] {
        let sent = content(len);
        let path = format!("r{exponent}-{len}");
        assert_eq!(put_all(&client, &path, &sent, exponent).code, code(2, 1));
        assert_eq!(get_all(&client, &path, exponent), sent);
    }
    // More blocks than fit into 12 bits.
    assert_eq!(get_all(&client, "r6-73000", 0), content(73_000));

    // Without the option, a client gets the first block of a large resource.
    let first = client.get("r6-73000");
    assert_eq!((first.number(BLOCK2), first.payload), (Some(block(0, true, 6)), content(1_024)));
    // Beyond the end, and of the reserved size.
    assert_eq!(get_block(&client, "r6-73000", block(72, false, 6)).code, code(4, 0));
    assert_eq!(get_block(&client, "r6-73000", block(0, false, 7)).code, code(4, 0));
    assert_eq!(get_block(&client, "r6-73000", 1 << 24).code, code(4, 0)); // 4 bytes
    assert_eq!(get_block(&client, "r0-1", block(0, false, 6)).payload, content(1));
}

#[test]
fn coap_tells_that_a_resource_has_changed_between_two_blocks() {
    let (_program, addr) = start();
    let client = Client::new(&addr);
    put_all(&client, "a", &content(3_000), 6);

    let tags = [0, 1].map(|n| get_block(&client, "a", block(n, false, 6)).number(ETAG));
    put_all(&client, "a", &content(3_000), 6);
    let changed = get_block(&client, "a", block(2, false, 6)).number(ETAG);

    assert_eq!(tags[0], tags[1]);
    assert_ne!(changed, tags[0]);
}

#[test]
fn coap_refuses_blocks_that_do_not_follow_each_other() {
    let (_program, addr) = start();
    let client = Client::new(&addr);
    let put = |path, number, has_more, len| {
        put_block(&client, path, block(number, has_more, 0), &content(len)).code
    };
    let (goes_on, incomplete) = (code(2, 31), code(4, 8));

    assert_eq!(put("a", 1, true, 16), incomplete);
    assert_eq!(put("a", 0, true, 16), goes_on);
    assert_eq!(put("a", 2, true, 16), incomplete);
    assert_eq!(put("b", 1, true, 16), incomplete);
    assert_eq!(put("a", 1, true, 15), incomplete);
    assert_eq!(put_block(&client, "a", block(1, true, 7), &content(16)).code, code(4, 0));
    assert_eq!(client.get("a").code, code(4, 4));

    // Another client has uploads of its own.
    let other = Client::new(&addr);
    assert_eq!(put_block(&other, "a", block(1, false, 0), b"x").code, incomplete);

    assert_eq!(put("a", 1, false, 5), code(2, 1));
    assert_eq!(client.get("a").payload, [content(16), content(5)].concat());
    // The upload has ended.
    assert_eq!(put("a", 2, false, 5), incomplete);

    // A client may begin again, and choose smaller blocks on the way.
    assert_eq!(put_block(&client, "a", block(0, true, 2), &content(64)).code, goes_on);
    assert_eq!(put_block(&client, "a", block(0, true, 1), &content(32)).code, goes_on);
    assert_eq!(put_block(&client, "a", block(2, false, 0), b"end").code, code(2, 4));
    assert_eq!(client.get("a").payload, [content(32), b"end".to_vec()].concat());
}

#[test]
fn coap_refuses_a_resource_of_more_than_128_kib() {
    let (_program, addr) = start();
    let client = Client::new(&addr);

    for n in 0..128 {
        let response = put_block(&client, "a", block(n, true, 6), &content(1_024));
        assert_eq!(response.code, code(2, 31));
    }
    assert_eq!(put_block(&client, "a", block(128, false, 6), b"x").code, code(4, 13));
    assert_eq!(put_block(&client, "a", block(128, false, 6), b"").code, code(4, 8));
    assert_eq!(client.get("a").code, code(4, 4));
}
