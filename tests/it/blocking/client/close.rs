//! The end of a blocking client.

use std::{net::UdpSocket, thread, time::Duration};

use datagrammar::{ClientRecvError, ClientSendError, Text, Udp, blocking::Client};

use super::client;
use crate::blocking::{DEADLINE, until, waiting};

fn is_closed<T>(received: &Result<T, ClientRecvError>) -> bool {
    matches!(received, Err(ClientRecvError::Closed))
}

// C-8
#[test]
fn after_close_all_calls_return_closed() {
    let (client, peer) = client("127.0.0.1");
    let same = client.clone();
    peer.send("too late");

    client.close();
    client.close();

    for client in [&client, &same] {
        assert!(client.is_closed());
        assert!(client.socket_ref().is_none());
        assert!(is_closed(&client.recv()));
        assert!(is_closed(&client.recv_timeout(Duration::ZERO)));
        for sent in [client.send("hello".to_owned()), client.send_all(["hello".to_owned()])] {
            assert!(matches!(sent, Err(ClientSendError::Closed)), "{sent:?}");
        }
    }
}

// C-9
#[test]
fn closing_ends_the_recvs_that_wait_on_other_threads() {
    for ip in super::IPS {
        let (client, peer) = client(ip);
        let waits = [None, Some(Duration::from_secs(3_600)), Some(Duration::MAX)].map(|timeout| {
            let client = client.clone();
            waiting(move || match timeout {
                None => client.recv(),
                Some(timeout) => client.recv_timeout(timeout),
            })
        });

        client.close();

        for waiting in waits {
            until(|| waiting.is_finished());
            assert!(is_closed(&waiting.join().unwrap()));
        }
        // No call uses the socket any more, so its port is free.
        UdpSocket::bind(peer.to).unwrap();
    }
}

// C-8, C-9
#[test]
fn a_close_at_any_time_closes_the_socket() {
    for round in 0..200 {
        let (client, peer) = client("127.0.0.1");
        let same = client.clone();
        let receiving = thread::spawn(move || same.recv());
        if round % 2 == 0 {
            thread::yield_now();
        }

        client.close();

        until(|| receiving.is_finished());
        assert!(is_closed(&receiving.join().unwrap()));
        UdpSocket::bind(peer.to).unwrap();
    }
}

fn client_at(ip: &str) -> Client<Text> {
    Client::connect(Udp::new("127.0.0.1:9").local_addr(format!("{ip}:0")), Text).unwrap()
}

// C-8
#[cfg(target_os = "linux")]
#[test]
fn close_closes_the_socket_even_if_there_are_clones_and_the_last_clone_closes_it_too() {
    let client = client_at("127.0.0.63");
    let (addr, same) = (client.local_addr(), client.clone());
    assert!(UdpSocket::bind(&addr).is_err());
    client.close();
    assert!(UdpSocket::bind(&addr).is_ok());
    drop(same);

    let client = client_at("127.0.0.64");
    let (addr, same) = (client.local_addr(), client.clone());
    drop(client);
    assert!(UdpSocket::bind(&addr).is_err());
    drop(same);
    assert!(UdpSocket::bind(&addr).is_ok());
}

// C-8
#[cfg(unix)]
#[test]
fn a_socket_that_was_lent_stays_open_until_it_is_given_back() {
    use std::os::fd::AsFd;

    let client = client_at("127.0.0.1");
    let (addr, lent) = (client.local_addr(), client.socket_ref().unwrap());
    let cloned = lent.as_fd().try_clone_to_owned().unwrap();

    client.close();

    assert!(UdpSocket::bind(&addr).is_err());
    drop(lent);
    drop(cloned);
    assert!(UdpSocket::bind(&addr).is_ok());
}

// C-8
#[test]
fn closing_while_no_call_waits_leaves_a_cloned_socket_as_it_is() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(peer.local_addr().unwrap()).unwrap();
    let own = socket.try_clone().unwrap();
    let client = Client::connect(socket, Text).unwrap();

    client.close();

    own.set_nonblocking(false).unwrap();
    own.set_read_timeout(Some(DEADLINE)).unwrap();
    peer.send_to(b"hello", own.local_addr().unwrap()).unwrap();
    assert_eq!(own.recv(&mut [0; 8]).unwrap(), 5);
}
