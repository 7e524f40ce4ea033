//! Addresses as text: error messages about them, and the names of interfaces.

use std::io;
use std::{io::ErrorKind, net::UdpSocket};

use datagrammar::{Client, Text, Udp};

use super::{bind, local_addrs};

/// Texts that are not addresses, each with its error message.
const NONE: [(&str, &str); 6] = [
    ("localhost", r#"the address "localhost" has no port"#),
    ("9123", r#"the address "9123" has no host, only a port"#),
    (":9123", r#"the address ":9123" has no host"#),
    ("*:9123", r#"the address "*:9123" has the host "*""#),
    ("256.0.0.1:9123", r#"the address "256.0.0.1:9123" has the host "256.0.0.1""#),
    ("127.0.0.1:99999", r#"the address "127.0.0.1:99999" has the port "99999""#),
];

// B-5, C-15
#[tokio::test]
async fn servers_and_clients_quote_a_text_that_is_not_an_address() {
    for (text, expected) in NONE {
        let local = Udp::new("127.0.0.1:9").local_addr(text);
        for error in [
            io::Error::from(bind(text).await.unwrap_err()),
            bind(["127.0.0.1:0", text]).await.unwrap_err().into(),
            Client::connect(text, Text).await.unwrap_err().into(),
            Client::connect(local, Text).await.unwrap_err().into(),
        ] {
            assert!(error.to_string().starts_with(expected), "{error}");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
    }
}

// B-4
#[tokio::test]
async fn each_of_several_texts_that_are_not_addresses_is_quoted() {
    let texts = NONE.map(|(text, _)| text);

    let of_server = bind(texts).await.unwrap_err().to_string();
    let of_client = Client::connect(texts, Text).await.unwrap_err().to_string();

    for (_, expected) in NONE {
        assert!(of_server.contains(expected) && of_client.contains(expected), "{of_server}");
    }
}

// B-9
#[tokio::test]
async fn servers_and_clients_name_an_interface_that_does_not_exist() {
    let text = "[fe80::1%eth999]:9123";
    let local = Udp::new("[::1]:9").local_addr(text);

    for error in [
        io::Error::from(bind(text).await.unwrap_err()),
        bind(("fe80::1%eth999", 9123)).await.unwrap_err().into(),
        Client::connect(text, Text).await.unwrap_err().into(),
        Client::connect(local, Text).await.unwrap_err().into(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains(r#"the interface "eth999""#), "{error}");
    }
}

// B-9
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_interface_may_be_named_instead_of_numbered() {
    let server = bind("[::1%lo]:0").await.unwrap();
    let port = local_addrs(&server)[0].port();

    let client = Client::builder(Text);
    let client = client.connect(Udp::new(("::1%lo", port)).local_addr("[::1%lo]:0")).await.unwrap();

    assert_eq!(client.peer_addr().socket_addr().unwrap().port(), port);
    assert_eq!(client.local_addr().socket_addr().unwrap().ip(), local_addrs(&server)[0].ip());
}

// C-14
#[tokio::test]
async fn a_local_address_that_cannot_be_bound_is_named() {
    let used = UdpSocket::bind("127.0.0.1:0").unwrap();
    let local = used.local_addr().unwrap();
    let udp = Udp::new("127.0.0.1:9").local_addr(local);

    let error = Client::connect(udp, Text).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().starts_with(&format!("cannot bind {local}: ")), "{error}");
}
