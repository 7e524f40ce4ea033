//! Servers with several addresses, without a reply cache, and without async; and a panic of the protocol.

use super::*;

// Q-10, D-10: a source that sends to two bound addresses is two peers
#[tokio::test]
async fn each_bound_address_has_requests_of_its_own() {
    let calls = Calls::default();
    let builder = numbered(calls.echo());
    let server = builder.bind(["127.0.0.1:0", "127.0.0.2:0"]).await.unwrap();
    let server = Running::start(server).await;
    let addrs = server.handle.local_addrs();
    let socket = tokio::net::UdpSocket::bind("0.0.0.0:0").await.unwrap();
    let ask = async |to: &Addr| {
        socket.send_to(b"1 a", to.socket_addr().unwrap()).await.unwrap();
        let mut reply = [0; 16];
        let (len, from) =
            crate::support::within_deadline(socket.recv_from(&mut reply)).await.unwrap();
        assert_eq!(*to, from);
        String::from_utf8(reply[..len].to_vec()).unwrap()
    };

    for _ in 0..2 {
        assert_eq!(ask(&addrs[0]).await, "1 a 1");
        assert_eq!(ask(&addrs[1]).await, "1 a 2");
    }

    end(server, 2).await;
}

//
#[tokio::test(start_paused = true)]
async fn a_server_without_a_reply_cache_serves_repetitions() {
    let (net, calls) = (Net::memory(), Calls::default());
    let server = net.serve(Server::builder(Numbered, calls.echo())).await;
    let peer = net.peer_of(&server.handle).await;

    assert_eq!(peer.ask("1 a").await, "1 a 1");
    assert_eq!(peer.ask("1 a").await, "1 a 2");
    end(server, 0).await;
}

// Q-10, H-6: a panic while an id is read counts as no id
#[tokio::test(start_paused = true)]
async fn a_panic_while_an_id_is_read_is_reported_and_the_datagram_is_served() {
    let (log, net) = (Log::capture(), Net::memory());
    let function = async |text: String| {
        yield_now().await;
        if text == "2 panic" { "!".to_owned() } else { text }
    };
    let server = net.serve(numbered(function)).await;
    let peer = net.peer_of(&server.handle).await;

    assert_eq!(peer.ask("!").await, "!");
    assert_eq!(peer.ask("2 panic").await, "!");
    assert_eq!(peer.ask("3 fine").await, "3 fine");

    let told = log.alarms();
    let texts: Vec<_> = told.iter().map(|told| &*told.message).collect();
    let (of_request, of_reply) =
        ("the id of a datagram could not be read", "the id of a reply could not be read");
    assert_eq!(texts, [of_request, of_reply, of_reply]);
    assert!(told.iter().all(|told| told.field("error").starts_with("panicked:")));
    assert!(told.iter().all(|told| told.field("peer") == peer.addr().to_string()));
    end(server, 0).await;
}

#[cfg(feature = "blocking")]
//
#[test]
fn a_blocking_server_has_one_too() {
    use datagrammar::{Client, Raw, blocking};

    let calls = Calls::default();
    let counts = calls.clone();
    let function = blocking::handler(move |text: String| format!("{text} {}", counts.count()));
    let server = numbered(function).bind_blocking("127.0.0.1:0").unwrap();
    let (addr, handle) = (server.local_addr(), server.handle());
    let mut thread = server.spawn().unwrap();

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let peer = Bytes(Client::connect(addr, Raw).await.unwrap());
        for _ in 0..3 {
            assert_eq!(peer.ask("1 a").await, "1 a 1");
        }
    });

    assert_eq!((calls.get(), handle.stats().replayed), (1, 2));
    thread.join().unwrap();
}
