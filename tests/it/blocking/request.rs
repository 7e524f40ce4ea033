//! The blocking request client.

use std::{net::UdpSocket, thread, time::Duration};

use datagrammar::{
    ConnectError, RequestError, Tagged, TaggedServer, Text,
    blocking::{RequestClient, Server},
    tagged,
};

fn serve() -> (datagrammar::Addr, datagrammar::blocking::ServerThread) {
    let echo = tagged(async |text: String| text);
    let server = Server::bind("127.0.0.1:0", TaggedServer::new(Text), echo).unwrap();
    (server.local_addr(), server.spawn().unwrap())
}

// Q-1, T-1
#[test]
fn threads_on_clones_of_one_client_get_their_own_responses() {
    let (addr, _server) = serve();
    let client = RequestClient::connect(addr.clone(), Tagged::new(Text)).unwrap();

    thread::scope(|scope| {
        for n in 0..20 {
            let client = client.clone();
            scope.spawn(move || {
                for m in 0..20 {
                    let number = format!("{n} {m}");
                    assert_eq!(client.request(&number).unwrap(), number);
                }
            });
        }
    });

    client.notify("bye".to_owned()).unwrap();
    let stats = client.stats();
    assert_eq!((stats.requests, stats.answered, stats.notifications), (400, 400, 1));
    assert_eq!(client.server_addrs(), [addr]);
    assert!(client.round_trip_times()[0].is_some() && client.in_flight_limit() > 0);
}

//
#[test]
fn a_request_without_a_server_fails_in_time() {
    let addr = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = RequestClient::connect(addr, Tagged::new(Text)).unwrap();

    let error = client.request_timeout("hello".to_owned(), Duration::from_millis(50)).unwrap_err();

    assert!(matches!(error, RequestError::Unreachable(_)), "{error:?}");
}

// Q-6, T-1
#[test]
fn close_from_another_thread_ends_a_request() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let client = RequestClient::connect(silent.local_addr().unwrap(), Tagged::new(Text)).unwrap();
    let asking = thread::spawn({
        let client = client.clone();
        move || client.request("hello".to_owned())
    });
    silent.recv(&mut [0; 16]).unwrap();

    client.close();

    let error = asking.join().unwrap().unwrap_err();
    assert!(matches!(error, RequestError::Closed), "{error:?}");
    assert!(client.is_closed() && client.local_addrs().is_empty());
}

//
#[test]
fn the_socket_is_closed_when_the_last_clone_is_dropped() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let client = RequestClient::connect(silent.local_addr().unwrap(), Tagged::new(Text)).unwrap();
    let own = client.local_addrs().remove(0).socket_addr().unwrap();
    let clone = client.clone();
    drop(client);
    UdpSocket::bind(own).unwrap_err();

    drop(clone);

    UdpSocket::bind(own).unwrap();
}

// T-1
#[tokio::test]
async fn inside_a_runtime_it_is_an_error() {
    let connected = RequestClient::connect("127.0.0.1:9", Tagged::new(Text));
    assert!(matches!(connected, Err(ConnectError::InsideRuntime)));
    let client =
        thread::spawn(|| RequestClient::connect("127.0.0.1:9", Tagged::new(Text)).unwrap());
    let client = client.join().unwrap();

    let error = client.request("hello".to_owned()).unwrap_err();

    assert!(matches!(error, RequestError::InsideRuntime), "{error:?}");
    // Dropping it here does not wait.
}
