//! A blocking client that several threads use.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

use datagrammar::ClientRecvError;

use super::{client, hear};
use crate::blocking::{bind, client_of, until};

// C-10
#[test]
fn send_works_while_a_recv_waits() {
    let (client, peer) = client("127.0.0.1");
    let same = client.clone();
    let receiving = thread::spawn(move || hear(&same));

    for n in 0..100 {
        client.send(n.to_string()).unwrap();
        assert_eq!(peer.recv_text(), n.to_string());
    }

    peer.send("hello");
    assert_eq!(receiving.join().unwrap(), "hello");
}

// C-10
#[test]
fn with_several_threads_in_recv_each_packet_goes_to_one_of_them() {
    const PACKETS: usize = 2_000;

    let (client, peer) = client("127.0.0.1");
    let received = AtomicUsize::new(0);
    let all = thread::scope(|scope| {
        let threads = [(); 4].map(|()| {
            scope.spawn(|| {
                let packets = client.packets().map(Result::unwrap);
                packets.inspect(|_| _ = received.fetch_add(1, Relaxed)).collect::<Vec<_>>()
            })
        });
        for n in 0..PACKETS {
            peer.send(n.to_string());
            // A burst that does not fit into the buffer of the socket would be lost.
            until(|| received.load(Relaxed) + 100 > n);
        }
        until(|| received.load(Relaxed) == PACKETS);
        client.close();
        threads.map(|thread| thread.join().unwrap()).concat()
    });

    assert_eq!(all.len(), PACKETS);
    assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), PACKETS);
}

// C-10, S-17
#[test]
fn several_threads_send_and_receive_at_the_same_time() {
    const THREADS: usize = 4;
    const TRIPS: usize = 200;

    let server = bind(async |text: String| text).spawn().unwrap();
    let client = client_of(server.handle());

    let mut all = thread::scope(|scope| {
        let threads = [0, 1, 2, 3].map(|thread| {
            let client = &client;
            scope.spawn(move || {
                let trip = |trip: usize| {
                    client.send((THREADS * trip + thread).to_string()).unwrap();
                    hear(client).parse::<usize>().unwrap()
                };
                (0..TRIPS).map(trip).collect::<Vec<_>>()
            })
        });
        threads.map(|thread| thread.join().unwrap()).concat()
    });

    all.sort_unstable();
    assert_eq!(all, (0..THREADS * TRIPS).collect::<Vec<_>>());
    let stats = client.stats();
    assert_eq!((stats.sent, stats.received), (all.len() as u64, all.len() as u64));
}

// C-9, C-10
#[test]
fn threads_that_ask_while_another_one_closes_end() {
    let server = bind(async |text: String| text).spawn().unwrap();
    let client = client_of(server.handle());
    thread::scope(|scope| {
        let asking = [(); 2].map(|()| {
            scope.spawn(|| {
                while client.send("hello".to_owned()).is_ok() {
                    match client.recv() {
                        Ok(text) => assert_eq!(text, "hello"),
                        Err(error) => {
                            assert!(matches!(error, ClientRecvError::Closed), "{error:?}")
                        }
                    }
                }
            })
        });
        until(|| client.stats().received > 100);

        client.close();

        for thread in asking {
            until(|| thread.is_finished());
            thread.join().unwrap();
        }
    });
}
