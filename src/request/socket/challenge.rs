//! What a challenge of the server leads to.

use tokio::time::Instant;

use super::{Core, MOST_UNSENT, Request};
use crate::{
    lock::locked,
    stats::add,
    token::{Reply, TokenJar},
};

impl Core {
    /// Takes a datagram out of its envelope. If it is a challenge, sends again what waits for an answer.
    pub(super) fn open<'a>(&self, datagram: &'a [u8]) -> Option<&'a [u8]> {
        let Some(jar) = &self.jar else { return Some(datagram) };
        match Reply::read(datagram) {
            Some(Reply::Payload(payload)) => return Some(payload),
            Some(Reply::Challenge(token)) => {
                add(&self.counters.challenges, 1);
                jar.put(*token);
                self.send_again(jar);
            }
            None => add(&self.counters.unsolicited, 1),
        }
        None
    }

    /// Adds what waits for an answer to what is to be sent, with the new token.
    fn send_again(&self, jar: &TokenJar) {
        let waiting: Vec<(u64, Request)> = {
            let waiting = locked(&self.waiting);
            waiting.requests.iter().map(|(id, request)| (*id, request.clone())).collect()
        };
        for (id, request) in waiting {
            self.send(id, request.again(jar));
        }
        let mut notification = locked(&self.notification);
        if let Some((id, last)) = &mut *notification
            && let Some(again) = last.stamp_again(jar, Instant::now())
        {
            let (id, again) = (*id, again.to_vec());
            drop(notification);
            let mut unsent = locked(&self.unsent);
            if unsent.len() < MOST_UNSENT {
                unsent.push_back((id, again));
            }
        }
    }
}

impl Request {
    /// What is sent again if it was sent with another token than the newest one.
    fn again(&self, jar: &TokenJar) -> Vec<Vec<u8>> {
        let Some(stamped) = &self.stamped else { return Vec::new() };
        let mut stamped = locked(stamped);
        let Some(whole) = stamped.stamp_again(jar).map(<[u8]>::to_vec) else { return Vec::new() };
        let Some(transfer) = &self.transfer else { return vec![whole] };
        let mut transfer = locked(transfer);
        let parts = transfer.again(&self.datagram);
        if parts.is_empty() && !transfer.is_in_chunks() {
            return vec![whole];
        }
        stamped.parts(&parts)
    }
}
