//! What a challenge of the server leads to.

use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use super::{
    Core, MOST_UNSENT, Request,
    stamped::{Notification, Stamped},
};
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
        let waiting: Vec<(u64, Arc<Mutex<Stamped>>)> = {
            let waiting = locked(&self.waiting);
            let stamped = |(id, request): (&u64, &Request)| Some((*id, request.stamped.clone()?));
            waiting.requests.iter().filter_map(stamped).collect()
        };
        for (id, stamped) in waiting {
            let again = locked(&stamped).stamp_again(jar);
            self.send(id, again.into_iter().collect());
        }
        let mut notification = locked(&self.notification);
        if notification.as_ref().is_some_and(|last| last.until <= Instant::now()) {
            *notification = None;
        }
        if let Some(Notification { id, stamped, .. }) = &mut *notification
            && let Some(again) = stamped.stamp_again(jar)
        {
            let id = *id;
            drop(notification);
            let mut unsent = locked(&self.unsent);
            if unsent.len() < MOST_UNSENT {
                unsent.push_back((id, again));
            }
        }
    }
}
