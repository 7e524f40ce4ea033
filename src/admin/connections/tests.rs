//! The bounds, with connections in memory and the paused clock.

use std::future::pending;

use axum::routing::get;
use futures_util::FutureExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::Instant,
};

use super::*;

const BOUNDS: Bounds = Bounds::of(Duration::from_secs(1));
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// An endpoint, to which one can connect until `ended` completes.
struct Endpoint(UnboundedSender<DuplexStream>);

impl Endpoint {
    fn start(pages: Router, ended: impl Future<Output = ()> + Send + 'static) -> Self {
        let (connect, mut connected) = unbounded_channel();
        tokio::spawn(async move {
            let accept = async move || match connected.recv().await {
                Some(stream) => Ok(stream),
                None => pending().await,
            };
            serve(accept, pages, BOUNDS, ended).await;
        });
        Self(connect)
    }

    fn connect(&self) -> DuplexStream {
        self.connect_with(1024)
    }

    /// Connects with room for so many bytes on their way.
    fn connect_with(&self, room: usize) -> DuplexStream {
        let (near, far) = duplex(room);
        self.0.send(far).expect("the endpoint accepts connections");
        near
    }
}

/// An endpoint with one page.
fn greeting() -> Endpoint {
    Endpoint::start(Router::new().route("/", get(async || "hello")), pending())
}

/// What comes until the other side closes the connection.
async fn rest(connection: &mut DuplexStream) -> String {
    let mut text = String::new();
    connection.read_to_string(&mut text).await.unwrap();
    text
}

/// Whether the endpoint has not closed the connection.
fn is_open(connection: &mut DuplexStream) -> bool {
    connection.read_u8().now_or_never().is_none()
}

// O-13
#[tokio::test(start_paused = true)]
async fn a_connection_without_a_request_is_closed_when_its_time_is_over() {
    let endpoint = greeting();
    for begun in ["", "GET / HTTP/1.1\r\nHost: local"] {
        let since = Instant::now();
        let mut connection = endpoint.connect();
        connection.write_all(begun.as_bytes()).await.unwrap();

        assert_eq!(rest(&mut connection).await, "", "{begun:?}");
        let lasted = since.elapsed();
        assert!((BOUNDS.head..BOUNDS.connection).contains(&lasted), "{begun:?}: {lasted:?}");
    }
}

// O-13
#[tokio::test(start_paused = true)]
async fn bytes_that_trickle_in_do_not_keep_a_connection_open() {
    let mut connection = greeting().connect();
    let since = Instant::now();

    for byte in REQUEST {
        sleep(Duration::from_secs(1)).await;
        if connection.write_all(&[*byte]).await.is_err() {
            break;
        }
    }

    assert_eq!(rest(&mut connection).await, "");
    assert!(since.elapsed() < BOUNDS.connection, "{:?}", since.elapsed());
}

// O-13
#[tokio::test(start_paused = true)]
async fn a_head_that_is_too_long_is_refused() {
    for (bytes, status) in [(LONGEST_HEAD - 100, "200 OK"), (LONGEST_HEAD, "431 ")] {
        let mut connection = greeting().connect_with(2 * LONGEST_HEAD);
        let long = "x".repeat(bytes);
        let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {long}\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();

        let answer = rest(&mut connection).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{bytes}: {answer}");
    }
}

// O-13
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_the_answer_loses_it() {
    let mut connection = greeting().connect_with(1);
    connection.write_all(REQUEST).await.unwrap();

    sleep(BOUNDS.connection + Duration::from_secs(1)).await;

    assert_eq!(rest(&mut connection).await, "H", "what had room");
}

// O-13
#[tokio::test(start_paused = true)]
async fn an_answer_has_all_the_time_that_the_program_gives_it() {
    let slow = async || {
        sleep(BOUNDS.connection - Duration::from_secs(1)).await;
        "hello"
    };
    let mut connection = Endpoint::start(Router::new().route("/", get(slow)), pending()).connect();
    connection.write_all(REQUEST).await.unwrap();

    assert!(rest(&mut connection).await.ends_with("\r\n\r\nhello"));
}

// O-13
#[tokio::test(start_paused = true)]
async fn a_request_waits_for_no_connection_without_one() {
    let endpoint = greeting();
    let since = Instant::now();
    let mut idle: Vec<_> = (0..1_000).map(|_| endpoint.connect()).collect();
    let mut connection = endpoint.connect();
    idle.extend((0..1_000).map(|_| endpoint.connect()));
    connection.write_all(REQUEST).await.unwrap();

    assert!(rest(&mut connection).await.ends_with("\r\n\r\nhello"));
    assert_eq!(since.elapsed(), Duration::ZERO);
}

// O-13
#[tokio::test(start_paused = true)]
async fn the_connections_that_wait_longest_for_a_request_make_room() {
    let endpoint = greeting();
    let mut idle: Vec<_> = (0..BOUNDS.connections).map(|_| endpoint.connect()).collect();
    // It waits for the thread of the endpoint, and for nothing else.
    sleep(Duration::from_millis(1)).await;
    assert!(idle.iter_mut().all(is_open), "so many fit");

    idle.extend((0..3).map(|_| endpoint.connect()));
    sleep(Duration::from_millis(1)).await;

    let open: Vec<_> = idle.iter_mut().map(is_open).collect();
    assert!(open[..3].iter().all(|open| !open) && open[3..].iter().all(|open| *open), "{open:?}");
}

// O-13
#[tokio::test(start_paused = true)]
async fn where_all_connections_have_a_request_a_further_one_waits_for_an_answer() {
    let slow = async || {
        sleep(Duration::from_secs(2)).await;
        "hello"
    };
    let endpoint = Endpoint::start(Router::new().route("/", get(slow)), pending());
    let since = Instant::now();
    let mut connections = Vec::new();
    for _ in 0..=BOUNDS.connections {
        let mut connection = endpoint.connect();
        connection.write_all(REQUEST).await.unwrap();
        connections.push(connection);
    }

    let mut last = connections.pop().expect("there are many");
    for connection in &mut connections {
        assert!(rest(connection).await.ends_with("\r\n\r\nhello"));
    }
    assert_eq!(since.elapsed().as_secs(), 2);
    assert!(rest(&mut last).await.ends_with("\r\n\r\nhello"));
    assert_eq!(since.elapsed().as_secs(), 4);
}

// O-13
#[tokio::test(start_paused = true)]
async fn a_request_in_progress_is_answered_at_the_end_and_an_idle_connection_closed() {
    let slow = async || {
        sleep(Duration::from_secs(2)).await;
        "hello"
    };
    let pages = Router::new().route("/", get(slow));
    let endpoint = Endpoint::start(pages, sleep(Duration::from_secs(1)));
    let (mut idle, mut connection) = (endpoint.connect(), endpoint.connect());
    connection.write_all(REQUEST).await.unwrap();
    let since = Instant::now();

    assert_eq!(rest(&mut idle).await, "");
    assert_eq!(since.elapsed().as_secs(), 1);
    assert!(rest(&mut connection).await.ends_with("\r\n\r\nhello"));
    assert_eq!(since.elapsed().as_secs(), 2);
}

// O-13
#[tokio::test(start_paused = true)]
async fn an_error_of_the_system_is_no_end() {
    let mut errors = vec![ErrorKind::OutOfMemory, ErrorKind::ConnectionAborted];
    let mut accept = async move || errors.pop().map_or(Ok(7), |kind| Err(kind.into()));

    assert_eq!(next(&mut accept).await, 7);
}
