//! Headers of strangers and of broken proxies, for the fuzzer.

use std::net::SocketAddr;

use super::{Header, IpNetwork, Payload, TrustedProxies};
use crate::Addr;

/// Reads a datagram as a server does: from a trusted proxy, and from somebody else.
pub(crate) fn run(input: &[u8]) {
    let loopback: IpNetwork = "127.0.0.0/8".parse().expect("it is a network");
    let proxies = TrustedProxies { networks: vec![loopback], is_required: false };
    let proxy = Addr::from(SocketAddr::from(([127, 0, 0, 1], 53)));
    let stranger = Addr::from(SocketAddr::from(([192, 0, 2, 7], 5000)));

    let read = Header::read(input);
    let judged = proxies.judge(&proxy, input);
    match (read, judged) {
        (Ok(Header { len, client }), Ok(Payload { header, from })) => {
            assert!(header == len && (16..=input.len()).contains(&len));
            assert_eq!(from.as_ref().and_then(Addr::proxy), client.and(proxy.socket_addr()));
            if let (Some(client), Some(from)) = (client, from) {
                assert_eq!(from, client);
            }
            assert!(Header::shape().matches(input));
            // What follows does not count, and nothing may be missing.
            assert_eq!(Header::read(&input[..len]), read);
            assert!(Header::read(&input[..len - 1]).is_err());
            assert!(proxies.judge(&stranger, input).is_err());
        }
        (Err(_), Err(_)) => {}
        (read, judged) => panic!("{read:?} {judged:?}"),
    }
    if let Ok(Payload { header, from }) = proxies.judge(&stranger, input) {
        assert!(header == 0 && from.is_none() && !Header::is_at(input));
    }
}
