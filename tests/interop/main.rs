//! Our client against an echo server that we did not write. `ECHO_SERVER` contains its address.
//! `tests/interop/run` starts the server and these tests.

use std::{env, time::Duration};

use datagrammar::{Client, DatagramProtocol, Json, Raw, Split};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[tokio::test]
async fn json_of_every_kind_comes_back_equal() {
    let client = connect(Json::<Value>::new()).await;
    let requests = [
        json!({"command-line arguments": ["Hello", "world"]}),
        json!("é€😀 \u{7f} \\ / \" \u{8}\u{c}\n\r\t\u{1}"),
        json!([0.1, 1e16, 1e-7, 5e-324, 1.7976931348623157e308, -0.0, 1.0]),
        json!([0, -1, i64::MIN, u64::MAX]),
        json!([null, true, false, "", [], {}]),
        (0..60).fold(json!("deep"), |inner, _| json!({"inner": [inner]})),
        Value::from("x".repeat(60_000)),
    ];

    for request in requests {
        client.send(&request).await.unwrap();
        // Compared as text, because 0.0 and -0.0 are equal.
        assert_eq!(recv(&client).await.to_string(), request.to_string());
    }
}

#[tokio::test]
async fn typed_packets_come_back_equal_in_utf_8_and_in_ascii() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Measurement {
        station: String,
        values: Vec<f64>,
        note: Option<String>,
    }
    let measurement =
        Measurement {
            station: "Zürich 😀".to_owned(), values: vec![1.5, -0.1, 1e-9], note: None
        };

    for protocol in [Json::<Measurement>::new(), Json::new().ascii()] {
        let client = connect(protocol).await;
        client.send(&measurement).await.unwrap();
        assert_eq!(recv(&client).await, measurement);
    }
}

#[tokio::test]
async fn three_in_flight_come_back_in_order() {
    let client = connect(Json::<u32>::new()).await;

    for request in 1..=3 {
        client.send(&request).await.unwrap();
    }

    for answer in 1..=3 {
        assert_eq!(recv(&client).await, answer);
    }
}

#[tokio::test]
async fn a_datagram_that_is_not_json_is_answered_with_an_error() {
    let client = connect(Split::new(Json::<Value, ()>::new(), Raw)).await;

    for request in [b"{".as_slice(), b"", b"\xff", b"[1,]", b"nothing"] {
        client.send(&request.to_vec().into()).await.unwrap();
        let error = json!({"error": "Invalid JSON", "code": "parse_error"});
        assert_eq!(recv(&client).await, error, "{request:?}");
    }
}

async fn connect<P: DatagramProtocol>(protocol: P) -> Client<P> {
    let server = env::var("ECHO_SERVER").expect("ECHO_SERVER is set");
    Client::connect(server, protocol).await.unwrap()
}

async fn recv<P: DatagramProtocol>(client: &Client<P>) -> P::Incoming {
    client.recv_timeout(Duration::from_secs(20)).await.unwrap()
}
