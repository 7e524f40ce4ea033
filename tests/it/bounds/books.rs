//! The figures: totals that balance.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use datagrammar::{DropReason, Figures, Limits, PeerAddr, Raw, Text, UdpClient, UdpServer};
use tokio::task::yield_now;

use crate::support::{
    Gate, Net, OVERHEAD, Running, conversing, everywhere, until, within_deadline,
};

/// How many datagrams were dropped for each reason.
fn dropped(figures: &Figures) -> [u64; 7] {
    [
        DropReason::Queue,
        DropReason::Bytes,
        DropReason::Peers,
        DropReason::Truncated,
        DropReason::Refused,
        DropReason::Unread,
        DropReason::Stopping,
    ]
    .map(|reason| figures.dropped(reason))
}

everywhere! {
    // G-9, G-14
    async fn each_datagram_was_either_received_or_dropped_for_one_reason(net) {
        let (gate, enemy) = (Gate::closed(), Arc::new(Mutex::new(None)));
        let limits = Limits::default().queue(3).bytes(6 * OVERHEAD + 20).peers(2).datagram(10);
        let check = {
            let enemy = Arc::clone(&enemy);
            move |peer: &PeerAddr| enemy.lock().unwrap().as_ref() != Some(peer)
        };
        let handler = conversing!([gate] |peer| {
            peer.send(&"opened".to_owned()).await?;
            gate.pass().await;
            while peer.recv().await? != "leave" {}
            Ok(())
        });
        let server = net.serve(UdpServer::builder(Text, handler).limits(limits).admit(check)).await;
        let (first, second, third, fourth) = (
            net.peer_of(&server.control).await,
            net.peer_of(&server.control).await,
            net.peer_of(&server.control).await,
            net.peer_of(&server.control).await,
        );
        *enemy.lock().unwrap() = Some(fourth.addr().clone());

        first.ask("1").await;
        second.ask("leave").await;
        for text in ["2", "3", "leave", "too many"] {
            first.send(text).await;
        }
        until(|| server.control.figures().dropped(DropReason::Queue) == 1).await;
        second.send("123456789").await;
        second.send("12345").await;
        third.send("no place").await;
        second.send("longer than ten bytes").await;
        fourth.send("let me in").await;
        until(|| dropped(&server.control.figures()) == [1, 1, 1, 1, 1, 0, 0]).await;

        // The first peer waits with "1", "2", "3" and "leave", the second with "leave" and "12345".
        assert_eq!(server.control.figures().waiting_bytes, 6 * OVERHEAD + 8 + 10);
        gate.open();
        until(|| server.control.figures().returned == 6).await;
        let control = server.control.clone();
        server.stop().await;
        let figures = control.figures();
        assert_eq!(figures.received, figures.returned + figures.dropped_in_all());
        assert_eq!((figures.peers, figures.waiting_bytes), (0, 0));
    }

    // G-9
    async fn the_books_balance_while_nothing_is_under_way(net) {
        let server = net.serve_text_within(Limits::default().queue(1_000), conversing!(|peer| {
            match peer.recv().await?.parse::<u32>()? % 5 {
                0 => yield_now().await,
                1 => return Err("as it was asked to".into()),
                2 => std::panic::resume_unwind(Box::new("as it was asked to")),
                3 => drop(peer.recv_timeout(Duration::ZERO).await),
                _ => {}
            }
            Ok(())
        })).await;

        for _ in 0..4 {
            let peer = net.peer_of(&server.control).await;
            for n in 0..50 {
                peer.send(n.to_string()).await;
            }
            peer.send(b"\xe9").await;
        }

        until(|| {
            let figures = server.control.figures();
            figures.received == 4 * 51 && figures.returned + figures.dropped_in_all() == 4 * 51
        })
        .await;
        until(|| server.control.figures().peers == 0).await;
        let figures = server.control.figures();
        assert_eq!((figures.received, figures.returned + figures.dropped_in_all()), (204, 204));
        assert_eq!((figures.decode_errors, figures.waiting_bytes), (4, 0));
        server.stop().await;
    }

    // G-14
    async fn figures_never_fall_and_any_thread_may_read_them(net) {
        let server = net.serve_text(async |text: String| {
            if text.ends_with('7') {
                yield_now().await;
            }
            text
        }).await;
        let peer = net.peer_of(&server.control).await;
        let gate = Arc::new(Mutex::new(false));
        let reader = {
            let (control, over) = (server.control.clone(), Arc::clone(&gate));
            thread::spawn(move || {
                let mut before = totals(&control.figures());
                while !*over.lock().unwrap() {
                    let now = totals(&control.figures());
                    assert!(before.iter().zip(&now).all(|(before, now)| before <= now));
                    before = now;
                }
            })
        };

        for n in 0..500 {
            peer.ask(&n.to_string()).await;
        }
        *gate.lock().unwrap() = true;

        reader.join().unwrap();
        assert_eq!(server.control.figures().returned, 500);
        server.stop().await;
    }
}

/// What never falls.
fn totals(figures: &Figures) -> [u64; 6] {
    let Figures { received, returned, sent, conversations, .. } = *figures;
    [received, returned, sent, conversations, figures.decode_errors, figures.dropped_in_all()]
}

// G-14
#[tokio::test]
async fn figures_are_totals_over_all_addresses() {
    let builder = UdpServer::builder(Text, async |text: String| text);
    let server = builder.bind(["127.0.0.1:0", "127.0.0.2:0"]).await.unwrap();
    let server = Running::start(server).await;

    for addr in server.control.addresses() {
        let client = UdpClient::connect(addr.socket_addr().unwrap(), Raw).await.unwrap();
        client.send(&"hello".into()).await.unwrap();
        within_deadline(client.recv()).await.unwrap();
    }

    let figures = server.control.figures();
    assert_eq!((figures.received, figures.returned, figures.conversations), (2, 2, 2));
    server.stop().await;
}

// G-4, G-14
#[tokio::test]
async fn the_addresses_of_a_server_share_its_places() {
    let gate = Gate::closed();
    let handler = conversing!(
        [gate] | peer | {
            peer.send(&"opened".to_owned()).await?;
            gate.pass().await;
            Ok(())
        }
    );
    let builder = UdpServer::builder(Text, handler).limits(Limits::default().peers(1));
    let server = builder.bind(["127.0.0.1:0", "127.0.0.2:0"]).await.unwrap();
    let server = Running::start(server).await;
    let bound = server.control.addresses();
    let first = UdpClient::connect(bound[0].socket_addr().unwrap(), Text).await.unwrap();
    let second = UdpClient::connect(bound[1].socket_addr().unwrap(), Text).await.unwrap();

    first.send(&"hello".to_owned()).await.unwrap();
    within_deadline(first.recv()).await.unwrap();
    second.send(&"hello".to_owned()).await.unwrap();

    until(|| server.control.figures().dropped(DropReason::Peers) == 1).await;
    gate.open();
    until(|| server.control.figures().peers == 0).await;
    server.stop().await;
}

// G-14
#[tokio::test(start_paused = true)]
async fn figures_go_on_in_the_next_serving() {
    let net = Net::memory();
    let builder = UdpServer::builder(Text, async |text: String| text);
    let server = Arc::new(builder.socket(net.socket()).unwrap());
    let control = server.control();
    let peer = net.peer_of(&control).await;

    for returned in 1..=3 {
        let serving = {
            let server = Arc::clone(&server);
            tokio::spawn(async move { server.serve().await })
        };
        within_deadline(control.ready()).await;
        peer.ask("hello").await;
        within_deadline(control.shutdown()).await;
        serving.await.unwrap().unwrap();
        assert_eq!(control.figures().returned, returned);
    }
}
