//! ICMP errors about earlier datagrams: they cause no loss of later datagrams.

use std::time::Duration;

use datagrammar::ClientRecvError;
use tokio::runtime::Builder;

use super::{IPS, client, hear};
use crate::icmp::{Icmp, told};

// C-6
#[test]
fn an_earlier_error_causes_no_loss_of_a_new_datagram() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    for ip in IPS {
        let Some(icmp) = Icmp::new(ip.parse().unwrap()) else { return };
        let (client, peer) = client(ip);
        let [from, to] =
            [client.local_addr(), client.peer_addr()].map(|addr| addr.socket_addr().unwrap());
        for error in icmp.unreachable() {
            let late = || {
                icmp.tell(error, from, to);
                runtime.block_on(told(client.socket_ref().unwrap()));
            };

            late();
            client.send("one".to_owned()).unwrap();
            assert_eq!(peer.recv_text(), "one");

            late();
            client.send_all(["two", "three"].map(str::to_owned)).unwrap();
            assert_eq!(
                (peer.recv_text(), peer.recv_text()),
                ("two".to_owned(), "three".to_owned())
            );

            late();
            let heard = client.recv_timeout(Duration::ZERO);
            assert!(matches!(heard, Err(ClientRecvError::TimedOut)), "{error:?}: {heard:?}");
            late();
            peer.send("answer");
            assert_eq!(hear(&client), "answer");
            assert!(peer.hears_nothing());
        }
    }
}
