//! Serves clients: answers their requests, and notifies them of changes.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU16, Ordering::Relaxed},
};

use datagrammar::{BoxError, Handler, Peer, PeerExchangeError, RecvError, Repeat, ServerContext};
use tokio::{
    sync::watch,
    time::{Duration, sleep},
};

use super::{
    message::{ACK, Message, RST},
    resources::Resources,
    session::Session,
};

pub(crate) struct Service {
    pub(crate) resources: watch::Sender<Resources>,
    next_id: AtomicU16,
}

impl Handler<Message, Message> for Service {
    /// Lets the resource with the time tick.
    async fn start(&self, context: &mut ServerContext) -> Result<(), BoxError> {
        let resources = self.resources.clone();
        context.spawn(async move {
            loop {
                sleep(Duration::from_secs(1)).await;
                resources.send_modify(Resources::set_time);
            }
        });
        Ok(())
    }

    /// Serves a client. The conversation goes on only while something of it must be remembered.
    async fn handle(&self, peer: &mut Peer<Message, Message>) -> Result<(), BoxError> {
        let mut session = Session::default();
        let mut resources = self.resources.subscribe();
        loop {
            let outdated = resources.wait_for(|resources| session.outdated(resources).is_some());
            tokio::select! {
                received = peer.recv() => match received {
                    Ok(message) => {
                        if let Some(response) = self.answer(&mut session, &message) {
                            peer.send(response).await?;
                        }
                    }
                    Err(RecvError::Decode(_)) => {
                        // A confirmable message that is malformed is rejected (RFC 7252, section 4.2).
                        if let Some([0x40..=0x4f, _, a, b, ..]) = peer.undecoded() {
                            let id = u16::from_be_bytes([*a, *b]);
                            peer.send(Message::new(RST, 0, id, &[])).await?;
                        }
                    }
                    // After so long, a notification finds out whether the client is still there.
                    Err(RecvError::Idle) if !session.observations.is_empty() => session.notify_again(),
                    Err(error) => return Err(error.into()),
                },
                // The result of `wait_for` locks the resources, and `notify` reads them.
                () = async { drop(outdated.await) } => self.notify(peer, &mut session).await?,
            }
            if session.is_over() {
                return Ok(());
            }
        }
    }
}

impl Service {
    pub(crate) fn new() -> Self {
        // After a restart, clients must not take new messages for old ones.
        let next_id = AtomicU16::new(RandomState::new().hash_one(()) as u16);
        Self { resources: watch::Sender::new(Resources::new()), next_id }
    }

    /// Sends a notification until the client acknowledges it. What changes meanwhile comes afterwards, so a slow client
    /// gets fewer notifications, and the newest state at the end.
    async fn notify(
        &self,
        peer: &mut Peer<Message, Message>,
        session: &mut Session,
    ) -> Result<(), BoxError> {
        let Some(notification) = self.notification(session) else { return Ok(()) };
        // ACK_TIMEOUT, MAX_RETRANSMIT and MAX_TRANSMIT_WAIT of RFC 7252, section 4.8.
        let repeat = Repeat::default()
            .initial_timeout(Duration::from_secs(2))
            .min_timeout(Duration::from_secs(2))
            .max_timeout(Duration::from_secs(32))
            .total_timeout(Duration::from_secs(93))
            .max_attempts(5);
        let mut exchange = peer.begin_exchange(&notification, &repeat)?;
        loop {
            match exchange.next().await {
                Ok(Message { kind: ACK, id, .. }) if id == notification.id => return Ok(()),
                Ok(Message { kind: RST, id, .. }) if id == notification.id => break,
                Ok(message) => {
                    if let Some(response) = self.answer(session, &message) {
                        exchange.peer().send(response).await?;
                    }
                }
                Err(PeerExchangeError::Decode(_)) => {}
                Err(PeerExchangeError::TimedOut { .. }) => break,
                Err(error) => return Err(error.into()),
            }
        }
        // The client has forgotten the observation, or is gone.
        session.observations.retain(|observation| observation.token != notification.token);
        Ok(())
    }

    /// The ID of a message that answers none.
    pub(crate) fn next_id(&self) -> u16 {
        self.next_id.fetch_add(1, Relaxed)
    }
}
