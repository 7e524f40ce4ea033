//! What `send` of a blocking client returns.

use std::time::Duration;

use datagrammar::{ClientRecvError, ClientSendError, blocking::Client};

use super::{IPS, client, client_by};
use crate::clients::Fragile;

// C-6, S-5
#[test]
fn a_packet_that_cannot_be_encoded_is_not_sent_and_the_client_stays_usable() {
    let (client, peer) = client_by("127.0.0.1", |addr| Client::connect(addr, Fragile).unwrap());

    let refused = client.send("error".to_owned());
    client.send("fine".to_owned()).unwrap();

    let Err(ClientSendError::Encode(error)) = refused else { panic!("the packet was encoded") };
    assert_eq!(error.to_string(), "this text is refused");
    assert_eq!(peer.recv_text(), "fine");
    assert!(peer.hears_nothing());
}

// C-6, S-6, S-7
#[test]
fn a_packet_longer_than_a_datagram_is_refused_and_one_of_exactly_the_limit_is_sent() {
    for (ip, longest) in IPS.into_iter().zip([65_507, 65_527]) {
        let (client, peer) = client(ip);

        let long = client.send("x".repeat(longest + 1));
        client.send("x".repeat(longest)).unwrap();

        let Err(ClientSendError::TooLarge { len, max, .. }) = long else { panic!("{long:?}") };
        assert_eq!((len, max), (longest + 1, longest));
        assert_eq!(peer.recv().len(), longest);
        assert!(peer.hears_nothing());
    }
}

// C-6, S-4
#[test]
fn packets_of_one_call_arrive_in_order_up_to_the_one_that_fails() {
    let (client, peer) = client_by("127.0.0.1", |addr| Client::connect(addr, Fragile).unwrap());
    let packets = ["one", "two", "error", "three"].map(str::to_owned);

    client.send_all(&packets[..2]).unwrap();
    let refused = client.send_all(packets.iter());

    assert!(matches!(refused, Err(ClientSendError::Encode(_))), "{refused:?}");
    for text in ["one", "two", "one", "two"] {
        assert_eq!(peer.recv_text(), text);
    }
    assert!(peer.hears_nothing());
    assert_eq!(client.stats().sent, 4);
}

#[cfg(target_os = "linux")]
fn is_refused(sent: &Result<(), ClientSendError>) -> bool {
    let refused = std::io::ErrorKind::ConnectionRefused;
    matches!(sent, Err(ClientSendError::Io(error)) if error.kind() == refused)
}

// C-7, C-6
#[cfg(target_os = "linux")]
#[test]
fn a_closed_port_refuses_packets_each_time_until_it_is_open_again_and_recv_does_not_report_it() {
    for ip in IPS {
        let (client, peer) = client(ip);
        let at = peer.socket.local_addr().unwrap();

        for round in ["one", "two"] {
            peer.socket.connect(peer.to).unwrap();
            client.send(round.to_owned()).unwrap();
            assert_eq!(peer.recv_text(), round);
            // It is connected to itself, so the kernel refuses datagrams of others.
            peer.socket.connect(at).unwrap();
            for _ in 0..3 {
                let sent = client.send("anybody there?".to_owned());
                assert!(is_refused(&sent), "{sent:?}");
                let heard = client.recv_timeout(Duration::from_millis(1));
                assert!(matches!(heard, Err(ClientRecvError::TimedOut)), "{heard:?}");
            }
        }
        assert!(!client.is_closed());
        assert_eq!((client.stats().sent, client.stats().send_errors), (2, 6));
    }
}

// C-7, C-10
#[cfg(target_os = "linux")]
#[test]
fn a_closed_port_is_reported_by_send_while_another_thread_receives() {
    let (client, peer) = client("127.0.0.1");
    peer.socket.connect(peer.socket.local_addr().unwrap()).unwrap();
    let same = client.clone();
    let receiving = std::thread::spawn(move || same.recv());

    for _ in 0..1_000 {
        let sent = client.send("anybody there?".to_owned());
        assert!(is_refused(&sent), "{sent:?}");
    }

    assert!(!receiving.is_finished());
    client.close();
    crate::blocking::until(|| receiving.is_finished());
    assert!(matches!(receiving.join().unwrap(), Err(ClientRecvError::Closed)));
}
