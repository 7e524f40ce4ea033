//! Which servers can trust proxies.

use std::io::ErrorKind;

use datagrammar::{BindError, Server, Text};

use super::{builder, who};

// O-26
#[tokio::test]
async fn a_required_proxy_must_be_a_trusted_one() {
    let builder = Server::builder(Text, who).require_proxy(true);
    let error = builder.bind("127.0.0.1:0").await.unwrap_err();

    let BindError::Option(error) = error else { panic!("{error}") };
    assert_eq!((error.name(), error.kind()), ("require_proxy", ErrorKind::InvalidInput));
    assert!(builder_with_nobody().bind("127.0.0.1:0").await.is_ok());
}

fn builder_with_nobody() -> datagrammar::ServerBuilder<Text> {
    Server::builder(Text, who).trust_proxy([]).require_proxy(true)
}

#[cfg(unix)]
mod unix {
    use std::{os::unix::net::UnixDatagram, time::Duration};

    use datagrammar::{AnyTransport, Bytes, Raw, Unix};

    use super::*;
    use crate::proxy::{header::of, trusted, within};

    // O-26
    #[tokio::test]
    async fn a_unix_socket_alone_has_no_proxies_and_stays_unbound() {
        let folder = std::env::temp_dir().join(format!("datagrammar-proxy-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("alone");

        let error = builder().bind(Unix::new(&path)).await.unwrap_err();

        let BindError::Option(error) = error else { panic!("{error}") };
        assert_eq!((error.name(), error.kind()), ("trust_proxy", ErrorKind::InvalidInput));
        assert!(!path.exists());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    // O-26
    #[tokio::test]
    async fn on_a_unix_socket_beside_others_a_header_is_a_part_of_the_datagram() {
        let folder =
            std::env::temp_dir().join(format!("datagrammar-proxy-both-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("server");
        let transports = [AnyTransport::new(Unix::new(&path)), AnyTransport::new("127.0.0.1:0")];
        let echo = async |bytes: Bytes| bytes;
        let builder = Server::builder(Raw, echo).trust_proxy(trusted()).require_proxy(true);
        let server = builder.bind(transports).await.unwrap();
        let handle = server.handle();
        let serving = server.spawn();
        let client = UnixDatagram::bind(folder.join("client")).unwrap();

        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let datagram = of("192.0.2.7:5000", "hi");
        client.send_to(&datagram, &path).unwrap();
        let answered = tokio::task::spawn_blocking(move || {
            let mut reply = [0; 200];
            let len = client.recv(&mut reply).unwrap();
            reply[..len].to_vec()
        });
        let answered = within(answered).await.unwrap();

        assert_eq!(answered, of("192.0.2.7:5000", "hi"));
        handle.shutdown().await;
        serving.await.unwrap().unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
