//! Each message has bytes of its own, and no bytes make reading fail in another way.

use super::*;

fn datagram(from: &str, local: Option<&str>) -> Kept {
    let local = local.map(|ip| Local { ip: ip.parse().unwrap(), interface: 7 });
    let traffic_class = local.map(|_| TrafficClass::from(0xbb));
    let ancillary = Ancillary { local, traffic_class, ..Ancillary::default() };
    Kept { from: from.parse().unwrap(), ancillary, bytes: b"hello".to_vec() }
}

fn unix(name: &[u8]) -> Addr {
    Addr(Repr::Rare(Rare::Unix(UnixName::Named(name.into()))))
}

fn messages() -> Vec<Message> {
    let [client, proxy] = ["[2001:db8::7]:5000", "192.0.2.9:53"].map(|addr| addr.parse().unwrap());
    let peers = vec![
        "192.0.2.7:5000".parse().unwrap(),
        "[fe80::1%6]:9".parse().unwrap(),
        Addr::proxied(client, proxy),
    ];
    let socket = |own_path: Option<&str>| SocketInfo {
        worker: WorkerIndex { number: 1, of: 4 },
        unnamed_peers: UnnamedPeers::Serve,
        own_path: own_path.map(Into::into),
    };
    vec![
        Message::Hello { version: VERSION },
        Message::Refused(Refusal::Version(9)),
        Message::Refused(Refusal::Busy),
        Message::Refused(Refusal::NotServing),
        Message::Socket { socket: socket(None), more: 3 },
        Message::Socket { socket: socket(Some("/run/app.sock")), more: 0 },
        Message::Serving,
        Message::InConversation { socket: 2, peers },
        Message::InConversation { socket: 0, peers: vec![unix(b"/run/a"), unix(b"\0b")] },
        Message::Stopped { socket: 2 },
        Message::Datagram { socket: 1, datagram: datagram("192.0.2.7:5000", Some("192.0.2.1")) },
        Message::Datagram { socket: 1, datagram: datagram("[2001:db8::1]:1", Some("::1")) },
        Message::Ended { socket: 0, peer: unix(b"/run/a"), taken: u64::MAX, returned: 1 },
        Message::Returned { socket: 3, datagram: datagram("192.0.2.7:5000", None) },
        Message::Finished,
        Message::Bye,
        Message::Leaving,
    ]
}

// O-30
#[test]
fn each_message_is_read_as_it_was_written_and_not_before_it_is_complete() {
    for message in messages() {
        let mut bytes = Vec::new();
        message.write(&mut bytes);

        for len in 0..bytes.len() {
            assert_eq!(Message::read(&bytes[..len]), Ok(None), "{message:?}");
        }
        let len = bytes.len();
        bytes.push(0);
        assert_eq!(Message::read(&bytes), Ok(Some((message, len))));
    }
}

// O-30
#[test]
fn bytes_that_are_no_message_are_refused_without_a_panic() {
    let mut rng = fastrand::Rng::with_seed(30);
    for message in messages() {
        let mut bytes = Vec::new();
        message.write(&mut bytes);
        for _ in 0..2_000 {
            let mut bytes = bytes.clone();
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(4..bytes.len());
                bytes[at] = rng.u8(..);
            }
            if let Ok(Some((message, _))) = Message::read(&bytes) {
                let mut again = Vec::new();
                message.write(&mut again);
                assert!(matches!(Message::read(&again), Ok(Some(_))), "{message:?}");
            }
        }
    }
    assert_eq!(Message::read(&[0xff; 5]), Err(Malformed), "too long");
    assert_eq!(Message::read(&[1, 0, 0, 0, 77]), Err(Malformed), "of no known kind");
    assert_eq!(Message::read(&[2, 0, 0, 0, 3, 0]), Err(Malformed), "with a byte too much");
}
