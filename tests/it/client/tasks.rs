//! Several tasks on one client.

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use datagrammar::{Client, ClientSendError, Text};
use tokio::task::{JoinSet, yield_now};

#[cfg(target_os = "linux")]
use super::send::closed_port;
use super::{client, waits};
use crate::support::{everywhere, within_deadline};

everywhere! {
    // C-10
    async fn a_send_completes_while_a_recv_waits(net) {
        let (client, peer) = client(&net);
        let mut receiving = pin!(client.recv());
        waits(receiving.as_mut()).await;

        client.send(&"question".to_owned()).await.unwrap();

        assert_eq!(peer.recv_text().await, "question");
        waits(receiving.as_mut()).await;
        peer.send("answer").await;
        assert_eq!(within_deadline(receiving).await.unwrap(), "answer");
    }

    // C-10
    async fn each_packet_goes_to_exactly_one_of_several_tasks_that_receive(net) {
        let (client, peer) = client(&net);
        let mut tasks = JoinSet::new();
        for _ in 0..4 {
            let client = client.clone();
            tasks.spawn(async move {
                let mut heard = Vec::new();
                while let Ok(packet) = client.recv().await {
                    if packet == "end" {
                        break;
                    }
                    heard.push(packet);
                }
                heard
            });
        }

        for n in 0..200 {
            peer.send(n.to_string()).await;
            if n % 10 == 0 {
                yield_now().await;
            }
        }
        for _ in 0..4 {
            peer.send("end").await;
        }
        let heard: Vec<_> =
            within_deadline(tasks.join_all()).await.into_iter().flatten().collect();

        assert_eq!(heard.len(), 200);
        let distinct: BTreeSet<_> = heard.into_iter().collect();
        assert_eq!(distinct, (0..200).map(|n| n.to_string()).collect());
    }

    // C-10
    async fn the_sends_of_several_tasks_do_not_starve_each_other(net) {
        let (client, peer) = client(&net);
        let mut tasks = JoinSet::new();
        if !net.loses() {
            tasks.spawn(async move {
                loop {
                    peer.recv().await;
                }
            });
        }
        let sent: Arc<[AtomicU32; 8]> = Arc::default();
        for task in 0..sent.len() {
            let (client, sent) = (client.clone(), Arc::clone(&sent));
            // It waits only in `send`.
            tasks.spawn(async move {
                loop {
                    client.send(&task.to_string()).await.unwrap();
                    sent[task].fetch_add(1, Relaxed);
                }
            });
        }

        // A paused clock does not advance while these tasks are busy.
        within_deadline(async {
            while !sent.iter().all(|sent| sent.load(Relaxed) > 1_000) {
                yield_now().await;
            }
        }).await;

        tasks.shutdown().await;
    }
}

// C-7, C-10
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_send_to_a_closed_port_is_refused_even_if_other_tasks_send_too() {
    for ip in ["127.0.0.1", "::1"] {
        let closed = closed_port(ip);
        let client = Client::connect(closed.local_addr().unwrap(), Text).await.unwrap();
        let mut tasks = JoinSet::new();
        for task in 0..4 {
            let client = client.clone();
            tasks.spawn(async move {
                for _ in 0..1_000 {
                    let sent = match task {
                        0 => client.send_all(["anybody", "there?"].map(str::to_owned)).await,
                        _ => client.send(&"anybody there?".to_owned()).await,
                    };
                    let Err(ClientSendError::Io(error)) = sent else {
                        panic!("a packet to a closed port was sent")
                    };
                    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
                }
            });
        }
        within_deadline(tasks.join_all()).await;
    }
}
