//! What the server does when a client is silent, under a clock that does not wait.

use coap_lite::Packet;
use datagrammar::{
    Client, Server, ServerHandle,
    testing::{Conditions, Network},
};
use tokio::time::{Duration, Instant, sleep};

use super::{ACK, BLOCK1, CON, Coap, GET, Message, OBSERVE, PUT, URI_PATH, code, server::Service};

const SECOND: Duration = Duration::from_secs(1);

/// A server in memory, and a client that has written the resource `a`.
async fn start() -> (ServerHandle, Client<Coap>) {
    let network = Network::new(1, Conditions::default());
    let socket = network.bind("10.0.0.1:5683").unwrap();
    let server = Server::bind(socket, Coap, Service::default()).await.unwrap();
    let handle = server.handle();
    server.spawn();
    let socket = network.connect("10.0.0.2:0", "10.0.0.1:5683").unwrap();
    let client = Client::connect(socket, Coap).await.unwrap();
    assert_eq!(ask(&client, &request(PUT, 1)).await.code, code(2, 1));
    (handle, client)
}

fn request(method: u8, id: u16) -> Message {
    let mut request = Message::new(CON, method, id, b"t");
    request.options.push((URI_PATH, b"a".to_vec()));
    request
}

async fn ask(client: &Client<Coap>, request: &Message) -> Message {
    client.send(Packet::from(request)).await.unwrap();
    client.recv_timeout(SECOND).await.unwrap().into()
}

async fn observe(client: &Client<Coap>) {
    let mut request = request(GET, 2);
    request.options.insert(0, (OBSERVE, vec![]));
    assert_eq!(ask(client, &request).await.code, code(2, 5));
}

/// Receives a notification until it is not repeated any more; returns when it came, in seconds.
async fn ignored(client: &Client<Coap>, since: Instant) -> (Message, Vec<f64>) {
    let first = client.recv_timeout(100 * SECOND).await.unwrap();
    let mut times = vec![since.elapsed().as_secs_f64()];
    while let Ok(copy) = client.recv_timeout(100 * SECOND).await {
        assert_eq!(copy, first);
        times.push(since.elapsed().as_secs_f64());
    }
    (first.into(), times)
}

#[tokio::test(start_paused = true)]
async fn coap_forgets_an_observer_that_acknowledges_none_of_five_copies() {
    let (handle, client) = start().await;
    observe(&client).await;
    let began = Instant::now();

    assert_eq!(ask(&client, &request(PUT, 3)).await.code, code(2, 4));
    let (notification, times) = ignored(&client, began).await;

    assert_eq!((notification.kind, notification.code), (CON, code(2, 5)));
    assert_eq!(times.len(), 5, "{times:?}");
    for (time, expected) in times.iter().zip([0.0, 2.0, 6.0, 14.0, 30.0]) {
        assert!((time - expected).abs() <= 0.11 * expected, "{times:?}");
    }
    assert_eq!(handle.stats().active_conversations, 0);
    handle.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn coap_asks_a_silent_observer_of_what_does_not_change_whether_it_is_there() {
    let (handle, client) = start().await;
    observe(&client).await;
    let began = Instant::now();

    let first = Message::from(client.recv_timeout(61 * SECOND).await.unwrap());
    client.send(Packet::from(&Message::new(ACK, 0, first.id, &[]))).await.unwrap();
    let minutes = began.elapsed().as_secs() / 60;
    let (second, times) = ignored(&client, began).await;

    assert_eq!((first.kind, minutes, second.kind), (CON, 1, CON));
    assert_ne!(first.id, second.id);
    assert_eq!((times.len(), times[0] as u64 / 60), (5, 2), "{times:?}");
    assert_eq!(handle.stats().active_conversations, 0);
    handle.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn coap_drops_an_upload_whose_next_block_does_not_come_within_a_minute() {
    let (handle, client) = start().await;
    let block = |id, value| {
        let mut request = request(PUT, id);
        request.add(BLOCK1, value);
        request.payload = vec![0; 16];
        request
    };

    assert_eq!(ask(&client, &block(3, 8)).await.code, code(2, 31));
    sleep(59 * SECOND).await;
    assert_eq!(ask(&client, &block(4, 16 | 8)).await.code, code(2, 31));
    assert_eq!(handle.stats().active_conversations, 1);
    sleep(61 * SECOND).await;
    assert_eq!(handle.stats().active_conversations, 0);
    assert_eq!(ask(&client, &block(5, 32 | 8)).await.code, code(4, 8));
}
