//! A CoAP server (RFC 7252). Clients read, write and delete resources, observe them (RFC 7641), and transfer large ones
//! in blocks (RFC 7959).
//!
//! ```sh
//! cargo run --example coap --features coap -- 127.0.0.1:5683
//! coap-client-notls -m put -e hello coap://127.0.0.1/greeting   # in another terminal
//! coap-client-notls -s 10 coap://127.0.0.1/time                 # observes it for 10 s
//! ```
//!
//! `protocol.rs` makes the messages of the crate `coap-lite` a protocol. Here is the handler, which receives messages and
//! repeats notifications. `session.rs` makes the answers and the notifications of a client, and `resources.rs` has what all
//! clients share.

pub(crate) mod protocol;
mod resources;
mod session;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::Ordering::Relaxed;

use coap_lite::{MessageType, Packet};
use datagrammar::{
    BoxError, Handler, Limits, Peer, PeerExchangeError, RecvError, Repeat, ReplyCache, Server,
    ServerContext,
};
use protocol::{Coap, NEXT_ID, reset};
use resources::Resources;
use session::Session;
use tokio::sync::watch;
use tokio::time::{Duration, sleep};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let addr = std::env::args().nth(1).ok_or("usage: coap ADDR:PORT")?;
    let server = Server::builder(Coap, Service::default())
        // A conversation takes up to 128 KiB, for an upload.
        .limits(Limits::default().max_conversations(1_024))
        // A repeated request gets the same bytes again. Messages may be repeated or delayed for so long (EXCHANGE_LIFETIME).
        .reply_cache(ReplyCache::default().ttl(Duration::from_secs(247)))
        .bind(addr)
        .await?;
    println!("listening on {}", server.local_addr());
    Ok(server.serve_until_signal().await?)
}

#[derive(Default)]
pub(crate) struct Service(watch::Sender<Resources>);

impl Handler<Packet, Packet> for Service {
    /// Lets the resource with the time tick.
    async fn start(&self, context: &mut ServerContext) -> Result<(), BoxError> {
        // After a restart, clients must not take new messages for old ones.
        NEXT_ID.store(RandomState::new().hash_one(()) as u16, Relaxed);
        let resources = self.0.clone();
        resources.send_modify(Resources::set_time);
        context.spawn(async move {
            loop {
                sleep(Duration::from_secs(1)).await;
                resources.send_modify(Resources::set_time);
            }
        });
        Ok(())
    }

    /// Serves a client. The conversation goes on only while something of it must be remembered.
    async fn handle(&self, peer: &mut Peer<Packet, Packet>) -> Result<(), BoxError> {
        let mut session = Session { resources: self.0.clone(), ..Session::default() };
        let mut changes = self.0.subscribe();
        loop {
            let answer = tokio::select! {
                received = peer.recv() => match received {
                    Ok(message) => session.answer(message),
                    Err(RecvError::Decode(_)) => peer.undecoded().and_then(reset),
                    // After so long, a notification finds out whether the client is still there.
                    Err(RecvError::Idle) if !session.observations.is_empty() => {
                        session.observations.values_mut().for_each(|(_, version)| *version = 0);
                        None
                    }
                    Err(error) => return Err(error.into()),
                },
                _ = changes.wait_for(|resources| session.outdated(resources).is_some()) => None,
            };
            if let Some(answer) = answer {
                peer.send(answer).await?;
            }
            notify(&mut session, peer).await?;
            if session.observations.is_empty() && session.upload.1.is_empty() {
                return Ok(());
            }
        }
    }
}

/// Sends the notifications that the client lacks. Each one is repeated until the client acknowledges it, and other messages are
/// answered meanwhile. Later changes wait, so a slow client gets fewer notifications, and the newest state at the end.
async fn notify(session: &mut Session, peer: &mut Peer<Packet, Packet>) -> Result<(), BoxError> {
    // ACK_TIMEOUT, MAX_RETRANSMIT and MAX_TRANSMIT_WAIT of RFC 7252, section 4.8.
    let repeat = Repeat::default()
        .initial_timeout(Duration::from_secs(2))
        .min_timeout(Duration::from_secs(2))
        .max_timeout(Duration::from_secs(32))
        .total_timeout(Duration::from_secs(93))
        .max_attempts(5);
    while let Some(notification) = session.notification() {
        let mut exchange = peer.begin_exchange(&notification, &repeat)?;
        let reply = loop {
            let message = match exchange.next().await {
                Err(PeerExchangeError::Decode(_)) => continue,
                received => received?, // if it has timed out, the client is gone
            };
            let kind = message.header.get_type();
            let is_ours = message.header.message_id == notification.header.message_id;
            match session.answer(message) {
                Some(answer) => exchange.peer().send(answer).await?,
                None if is_ours && kind != MessageType::NonConfirmable => break kind,
                None => {}
            }
        };
        if reply == MessageType::Reset {
            session.observations.remove(notification.get_token());
        }
    }
    Ok(())
}
