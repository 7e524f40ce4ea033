//! Which reply is repeated.

use std::sync::Mutex;

use datagrammar::{PeerSender, SendError};

use super::*;
use crate::support::longest_to;

everywhere! {
    //
    async fn the_first_reply_with_the_id_of_a_request_is_its_reply(net) {
        let server = net.serve(numbered(conversing!(|peer| {
            let text = peer.recv().await?;
            if text.ends_with("later") {
                yield_now().await;
            }
            let id = &text[..1];
            peer.send("progress".to_owned()).await?;
            peer.send("9 of nobody".to_owned()).await?;
            peer.send(format!("{id} first")).await?;
            peer.send(format!("{id} second")).await?;
            Ok(())
        }))).await;
        let peer = net.peer_of(&server.handle).await;

        for (request, id) in [("1 now", 1), ("2 later", 2)] {
            peer.send(request).await;
            for expected in ["progress", "9 of nobody", &format!("{id} first"), &format!("{id} second")] {
                assert_eq!(peer.recv_text().await, expected);
            }
            assert_eq!(peer.ask(request).await, format!("{id} first"));
        }
        assert!(peer.hears_nothing().await);
        end(server, 2).await;
    }

    // two requests with the same id
    async fn a_reply_belongs_to_the_newest_request_without_one(net) {
        let server = net.serve(numbered(conversing!(|peer| {
            let (_, second) = (peer.recv().await?, peer.recv().await?);
            peer.send(&second).await?;
            Ok(peer.send("1 for the first".to_owned()).await?)
        }))).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("1 a").await;
        assert_eq!(peer.ask("1 b").await, "1 b");
        assert_eq!(peer.recv_text().await, "1 for the first");

        assert_eq!(peer.ask("1 a").await, "1 for the first");
        assert_eq!(peer.ask("1 b").await, "1 b");
        end(server, 2).await;
    }

    // Q-10, S-6
    async fn a_reply_that_was_too_large_does_not_count(net) {
        let server = net.serve(numbered(conversing!(|peer| {
            let text = peer.recv().await?;
            if text.ends_with("later") {
                yield_now().await;
            }
            let long = format!("{}{}", &text[..1], "x".repeat(longest_to(peer.addr())));
            assert!(matches!(peer.send(&long).await, Err(SendError::TooLarge { .. })));
            Ok(peer.send(format!("{} short", &text[..1])).await?)
        }))).await;
        let peer = net.peer_of(&server.handle).await;

        for (request, id) in [("1 now", 1), ("2 later", 2)] {
            for _ in 0..2 {
                assert_eq!(peer.ask(request).await, format!("{id} short"));
            }
        }
        end(server, 2).await;
    }

    // longer than what waits for the end of a batch over Unix sockets
    async fn long_replies_are_repeated_in_order_too(net) {
        let calls = Calls::default();
        let count = calls.clone();
        let function = move |text: String| {
            count.count();
            let more = if text.ends_with("long") { 5_000 } else { 0 };
            ready(text + &"x".repeat(more))
        };
        let server = net.serve(numbered(function)).await;
        let peer = net.peer_of(&server.handle).await;
        let long = peer.ask("1 long").await;
        assert_eq!((peer.ask("2 short").await, long.len()), ("2 short".to_owned(), 5_006));

        for text in ["2 short", "1 long", "3 new", "1 long"] {
            peer.send(text).await;
        }

        let (mut expected, mut heard) = (vec!["2 short", &long, "3 new", &long], Vec::new());
        for _ in 0..4 {
            heard.push(peer.recv_text().await);
        }
        if is_by_tasks(&net) {
            heard.sort();
            expected.sort();
        }
        assert_eq!(heard, expected);
        assert_eq!(calls.get(), 3);
        end(server, 3).await;
    }

    // Q-10, S-11: outside of the conversation
    async fn a_sender_may_send_the_reply_after_the_conversation_has_ended(net) {
        let (calls, sender) = (Calls::default(), Arc::new(Mutex::new(None::<PeerSender<String>>)));
        let server = net.serve(numbered(conversing!([calls, sender] |peer| {
            peer.recv().await?;
            calls.count();
            *sender.lock().unwrap() = Some(peer.sender());
            Ok(())
        }))).await;
        let peer = net.peer_of(&server.handle).await;
        peer.send("1 a").await;
        until(|| server.handle.stats().conversations == 1).await;
        peer.send("1 a").await;
        duplicates(&server, 1).await;

        let sender = sender.lock().unwrap().take().unwrap();
        tokio::spawn(async move {
            sender.send("1 done".to_owned()).await.unwrap();
            sender.send("1 again".to_owned()).await.unwrap();
        });
        assert_eq!([peer.recv_text().await, peer.recv_text().await], ["1 done", "1 again"]);

        assert_eq!(peer.ask("1 a").await, "1 done");
        // A sender that does not come from the conversation has the same effect.
        peer.send("2 b").await;
        until(|| calls.get() == 2).await;
        let other = server.handle.sender::<String>(peer.addr()).unwrap();
        other.send("2 done".to_owned()).await.unwrap();
        assert_eq!(peer.recv_text().await, "2 done");
        assert_eq!(peer.ask("2 b").await, "2 done");
        assert_eq!(calls.get(), 2);
        end(server, 2).await;
    }

    // a packet that was put back was received
    async fn a_request_that_was_put_back_is_received_twice_by_handlers_and_not_repeated(net) {
        let calls = Calls::default();
        let server = net.serve(numbered(conversing!([calls] |peer| {
            let text = peer.recv().await?;
            if calls.count() == 1 {
                peer.put_back(text);
                return Ok(());
            }
            Ok(peer.send(&text).await?)
        }))).await;
        let peer = net.peer_of(&server.handle).await;

        for _ in 0..2 {
            assert_eq!(peer.ask("1 a").await, "1 a");
        }

        assert_eq!(calls.get(), 2);
        end(server, 1).await;
    }
}

// a repetition finds no room, and the next one is answered
#[tokio::test(start_paused = true)]
async fn a_reply_waits_for_room_like_any_other_datagram() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let server = net.serve(numbered(async |text: String| text)).await;
    let (peer, addr) = (net.peer_of(&server.handle).await, server.handle.local_addrs()[0].clone());
    assert_eq!(peer.ask("1 a").await, "1 a");

    network.hold_sends(addr.clone(), true);
    for text in ["2 b", "1 a", "3 c"] {
        peer.send(text).await;
    }
    settle().await;
    assert!(peer.hears_nothing().await);
    network.hold_sends(addr, false);

    for expected in ["2 b", "1 a", "3 c"] {
        assert_eq!(peer.recv_text().await, expected);
    }
    end(server, 1).await;
}

/// Lets the server work, under the paused clock.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}
