//! Long packets and a reply store.

use datagrammar::{Bytes as Packet, Chunked, Raw};
use tokio::sync::mpsc;

use super::*;
use crate::support::within_deadline;

/// A chunk of the packet with the id 7.
fn chunk(number: u32, index: u16, last: u16, bytes: &[u8]) -> Vec<u8> {
    let (index, last) = (index.to_be_bytes(), last.to_be_bytes());
    [&[2], &7_u64.to_be_bytes()[..], &number.to_be_bytes(), &index, &last, bytes].concat()
}

everywhere! {
    // the reply of another replica is sent in chunks, and completed from there
    async fn a_long_request_is_served_once_by_two_replicas(net) {
        let (store, calls) = (Store::new(), Calls::default());
        let replica = || {
            replica(&store, calls.echo()).chunked(Chunked::with_limit(100_000))
        };
        let (first, second) = (net.serve(replica()).await, net.serve(replica()).await);
        let (tell, mut heard) = mpsc::unbounded_channel();
        let listen = datagrammar::no_reply(move |datagram: Packet| {
            let _ = tell.send(datagram.to_vec());
            ready(())
        });
        let source = net.serve(Server::builder(Raw, listen)).await;
        let request = format!("7{}", "x".repeat(20_000));
        // Each chunk but the last gets a list of those that are missing. Those to the second replica have another number,
        // as if the client had begun anew.
        let mut replies = Vec::new();
        for (number, server) in [(1, &first), (2, &second)] {
            let addr = server.handle.local_addrs().swap_remove(0);
            let to = source.handle.sender::<Packet>(addr).unwrap();
            let parts: Vec<_> = request.as_bytes().chunks(1_000).collect();
            let last = parts.len() as u16 - 1;
            for (index, part) in (0..).zip(&parts) {
                let chunk = chunk(number, index, last, part);
                within_deadline(to.send(Packet::from(chunk))).await.unwrap();
                if index < last {
                    assert_eq!(within_deadline(heard.recv()).await.unwrap()[0], 3);
                }
            }
            let mut reply = vec![None; 17];
            let mut left = 17;
            while left > 0 {
                let heard = within_deadline(heard.recv()).await.unwrap();
                assert_eq!((heard[0], &heard[1..9], heard[16]), (1, &7_u64.to_be_bytes()[..], 16));
                let index = usize::from(heard[14]);
                assert!(reply[index].replace(heard[17..].to_vec()).is_none());
                left -= 1;
                if left == 7 {
                    let list = [&[3], &heard[1..13], &[0, 10, 0, 16]].concat();
                    within_deadline(to.send(Packet::from(list))).await.unwrap();
                }
            }
            replies.push(reply.into_iter().flatten().flatten().collect::<Vec<_>>());
            store.knows(1, 1).await;
        }

        assert_eq!(replies[0], format!("{request} 1").into_bytes());
        assert_eq!(replies[1], replies[0]);
        assert_eq!(calls.get(), 1);
        assert_eq!(second.handle.stats().replayed, 1);
        source.stop().await;
        first.stop().await;
        second.stop().await;
    }
}
