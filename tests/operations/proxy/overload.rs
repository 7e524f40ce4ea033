//! What waits for an overloaded server remembers its proxy.

use std::{
    net::UdpSocket,
    sync::{Arc, Mutex, OnceLock},
    thread,
    time::Duration,
};

use datagrammar::{Addr, Limits, Server, Text};

use super::{header::of, trusted, until};

const CLIENTS: usize = 20;

// O-23
#[tokio::test]
async fn requests_of_one_client_that_wait_are_answered_through_their_own_proxies() {
    let proxies: Arc<[UdpSocket; 2]> = Arc::new([(); 2].map(|()| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        socket
    }));
    let server_addr = Arc::new(OnceLock::new());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (sockets, to, peers) = (Arc::clone(&proxies), Arc::clone(&server_addr), Arc::clone(&seen));
    let handler = move |text: String, peer: Addr| {
        let (sockets, to, peers) = (Arc::clone(&sockets), Arc::clone(&to), Arc::clone(&peers));
        async move {
            if text == "begin" {
                // While this handler works, nothing is received. Each client asks through both proxies.
                for n in 0..CLIENTS {
                    for (which, socket) in sockets.iter().enumerate() {
                        let request = of(&format!("192.0.2.{n}:5000"), &format!("{n} {which}"));
                        socket.send_to(&request, to.get().unwrap()).unwrap();
                    }
                }
            }
            // Long enough that the queue stands.
            thread::sleep(Duration::from_millis(6));
            peers.lock().unwrap().push((text.clone(), peer.proxy()));
            text
        }
    };
    let limits = Limits::default().max_queue_time(Duration::from_secs(20));
    let builder = Server::builder(Text, handler).limits(limits).trust_proxy(trusted());
    let server = builder.bind("127.0.0.1:0").await.unwrap();
    let (handle, addr) = (server.handle(), server.local_addr().socket_addr().unwrap());
    server_addr.set(addr).unwrap();
    server.spawn();

    proxies[0].send_to(&of("198.51.100.1:1", "begin"), addr).unwrap();
    // Of two requests of a client, the older one may be dropped when the queue stands.
    until(|| {
        let stats = handle.stats();
        let all = stats.delivered + stats.total_dropped() == 1 + 2 * CLIENTS as u64;
        all && stats.delivered == seen.lock().unwrap().len() as u64
    })
    .await;
    handle.shutdown().await;

    assert!(handle.stats().waited > 0, "{}", handle.stats());
    let seen = seen.lock().unwrap().clone();
    assert!(seen.iter().filter(|(text, _)| text.ends_with(" 1")).count() == CLIENTS, "{seen:?}");
    let mut replies = [0; 2];
    for (text, proxy) in seen {
        let which = usize::from(text.ends_with(" 1"));
        replies[which] += 1;
        assert_eq!(proxy, Some(proxies[which].local_addr().unwrap()), "{text}");
    }
    for (which, proxy) in proxies.iter().enumerate() {
        for _ in 0..replies[which] {
            let mut reply = [0; 20];
            let len = proxy.recv(&mut reply).unwrap();
            let text = std::str::from_utf8(&reply[..len]).unwrap();
            assert!(text == "begin" || text.ends_with(&format!(" {which}")), "{text}");
        }
    }
}
