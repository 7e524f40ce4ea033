//! The RADIUS server: packets of the RFCs, and requests through a relay that loses and duplicates.

#[path = "../../../radius/packet.rs"]
mod packet;
#[path = "../../../radius/protocol.rs"]
mod protocol;

use std::collections::BTreeMap;

use datagrammar::{Correlated, DatagramProtocol, RequestClient, RequestError};
use packet::{
    ACCESS_ACCEPT, ACCESS_REJECT, ACCESS_REQUEST, ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE,
    ACCT_SESSION_ID, ACCT_STATUS_TYPE, MESSAGE_AUTHENTICATOR, Packet, REPLY_MESSAGE, USER_NAME,
    USER_PASSWORD,
};
use protocol::Radius;
use serde_json::Value;
use tokio::time::Duration;

use crate::{program::Program, relay::Relay};

const SECRET: &str = "xyzzy5461";

fn radius() -> Radius {
    Radius::new(SECRET)
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The first example of RFC 2865, section 7.1. Its request has no Message-Authenticator.
const REQUEST: &str =
    "01 00 00 38 0f 40 3f 94 73 97 80 57 bd 83 d5 cb 98 f4 22 7a 01 06 6e 65 6d 6f 02 12 0d be
    70 8d 93 d4 13 ce 31 96 e4 3f 78 2a 0a ee 04 06 c0 a8 01 10 05 06 00 00 00 03";
const ACCEPT: &str =
    "02 00 00 26 86 fe 22 0e 76 24 ba 2a 10 05 f6 bf 9b 55 e0 b2 06 06 00 00 00 01 0f 06 00 00 00
    00 0e 06 c0 a8 01 03";

#[test]
fn radius_checks_the_response_of_the_rfc_with_its_request() {
    let (request, accept) = (hex(REQUEST), hex(ACCEPT));

    assert!(radius().is_answer(&request, &accept));

    assert!(!Radius::new("other").is_answer(&request, &accept));
    for at in (0..accept.len()).filter(|at| !(2..4).contains(at)) {
        let mut forged = accept.clone();
        forged[at] ^= 1;
        assert!(!radius().is_answer(&request, &forged), "{at}");
    }
    let packet = radius().decode(&accept).unwrap();
    assert_eq!((packet.code, packet.attributes.len()), (ACCESS_ACCEPT, 3));
}

#[test]
fn radius_refuses_an_access_request_without_a_message_authenticator() {
    let packet = Packet::read(&hex(REQUEST)).unwrap();
    assert_eq!(packet.get(USER_NAME), Some(&b"nemo"[..]));

    assert_eq!(radius().decode(&hex(REQUEST)).unwrap_err().to_string(), "wrong authenticator");
}

#[test]
fn radius_hides_passwords_of_each_length() {
    for len in [1, 15, 16, 17, 32, 128] {
        let password = "x".repeat(len);
        let mut datagram = Vec::new();
        let request = Packet::request(ACCESS_REQUEST).with(USER_PASSWORD, &*password);
        radius().encode(&request, &mut datagram).unwrap();
        radius().set_id(7, &mut datagram);
        assert!(!datagram.windows(4).any(|bytes| bytes == b"xxxx"), "{len}");

        let packet = radius().decode(&datagram).unwrap();

        assert_eq!((packet.id, packet.text(USER_PASSWORD)), (7, Some(password)));
        assert_eq!(packet.attributes[0].0, MESSAGE_AUTHENTICATOR);
    }
}

#[test]
fn radius_signs_each_kind_of_response() {
    let pairs = [
        (ACCESS_REQUEST, ACCESS_ACCEPT),
        (ACCESS_REQUEST, ACCESS_REJECT),
        (ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE),
    ];
    for (code, response_code) in pairs {
        let (mut request, mut response) = (Vec::new(), Vec::new());
        radius().encode(&Packet::request(code), &mut request).unwrap();
        radius().set_id(7, &mut request);
        let received = radius().decode(&request).unwrap();
        let packet = received.respond(response_code).with(REPLY_MESSAGE, "hello");
        radius().encode(&packet, &mut response).unwrap();

        assert!(radius().is_answer(&request, &response));
        assert!(!Radius::new("other").is_answer(&request, &response));
        assert_eq!(radius().id(&response), Some(7));
    }
}

#[test]
fn radius_refuses_what_is_forged_or_cut() {
    for code in [ACCESS_REQUEST, ACCOUNTING_REQUEST] {
        let mut datagram = Vec::new();
        let request = Packet::request(code).with(USER_NAME, "nemo").with(ACCT_SESSION_ID, "1");
        radius().encode(&request, &mut datagram).unwrap();
        radius().set_id(9, &mut datagram);
        radius().decode(&datagram).unwrap();
        assert!(Radius::new("other").decode(&datagram).is_err());

        for at in 0..datagram.len() {
            let mut forged = datagram.clone();
            forged[at] ^= 0x10;
            // Another code is another packet, and its authenticator is of no interest.
            let refused = radius().decode(&forged).is_err();
            assert!(refused || at == 0, "{code} {at}");
            assert!(radius().decode(&datagram[..at]).is_err(), "{code} {at}");
        }
    }
    for byte in 0..=255 {
        let _ = radius().decode(&[byte; 300]);
        let _ = radius().is_answer(&[byte; 20], &[byte; 300]);
    }
}

/// A client of the server at `addr`, whose timers are short enough for a test.
async fn client(addr: &str) -> RequestClient<Radius> {
    RequestClient::builder(radius())
        .initial_timeout(Duration::from_millis(50))
        .min_timeout(Duration::from_millis(30))
        .max_timeout(Duration::from_millis(200))
        .connect(addr)
        .await
        .unwrap()
}

#[tokio::test]
async fn radius_accepts_and_rejects() {
    let server = Program::start("radius", ["127.0.0.1:0", SECRET, "nemo=arctangent"]);
    let client = client(&server.addr()).await;
    let ask = async |name: &str, password: &str| {
        let request = Packet::request(ACCESS_REQUEST).with(USER_NAME, name);
        let response = client.request(request.with(USER_PASSWORD, password)).await.unwrap();
        (response.code, response.text(REPLY_MESSAGE).unwrap())
    };

    assert_eq!(ask("nemo", "arctangent").await, (ACCESS_ACCEPT, "Welcome, nemo.".to_owned()));
    assert_eq!(ask("nemo", "sine").await.0, ACCESS_REJECT);
    assert_eq!(ask("ahab", "arctangent").await.0, ACCESS_REJECT);
}

#[test]
fn radius_asks_a_server() {
    let server = Program::start("radius", ["127.0.0.1:0", SECRET, "nemo=arctangent"]);
    let addr = server.addr();
    let ask = |user| Program::start("radius", ["ask", &addr, SECRET, user]).end();

    assert_eq!(ask("nemo=arctangent"), (Some(0), vec!["accepted: Welcome, nemo.".to_owned()]));
    assert_eq!(ask("nemo=sine"), (Some(0), vec!["rejected: Unknown name or password.".to_owned()]));
    assert_eq!(ask("nemo").0, Some(1));
}

#[tokio::test]
async fn radius_records_each_request_once_through_loss_and_duplicates() {
    const REQUESTS: u32 = 240;

    let server = Program::start("radius", ["127.0.0.1:0", SECRET]);
    let relay = Relay::start(server.addr().parse().unwrap(), 1).await;
    let client = client(&relay.addr().to_string()).await;
    let asking = (0..REQUESTS).map(|n| {
        let client = client.clone();
        tokio::spawn(async move {
            let request = Packet::request(ACCOUNTING_REQUEST)
                .with(ACCT_STATUS_TYPE, [0, 0, 0, 1])
                .with(ACCT_SESSION_ID, n.to_string());
            client.request(request).await.unwrap().code
        })
    });
    for code in asking.collect::<Vec<_>>() {
        assert_eq!(code.await.unwrap(), ACCOUNTING_RESPONSE);
    }

    assert!(client.stats().retries > u64::from(REQUESTS) / 4, "{}", client.stats());
    let mut records = BTreeMap::new();
    for _ in 0..REQUESTS {
        let record: Value = serde_json::from_str(&server.line()).unwrap();
        assert_eq!((&record["status"], &record["user"]), (&"start".into(), &Value::Null));
        *records.entry(record["session"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    assert_eq!(records.len(), REQUESTS as usize);
    assert!(records.values().all(|count| *count == 1));
}

#[tokio::test]
async fn radius_does_not_answer_who_has_another_secret() {
    let server = Program::start("radius", ["127.0.0.1:0", "another"]);
    let client = client(&server.addr()).await;

    let request = Packet::request(ACCESS_REQUEST).with(USER_NAME, "nemo");
    let error = client.request_timeout(request, Duration::from_millis(300)).await.unwrap_err();

    assert!(matches!(error, RequestError::TimedOut { .. }), "{error:?}");
}
