//! The envelopes of a client without requests: its token, and the datagram that it has sent last.
//!
//! Such a client does not know which of its datagrams are answered. So it keeps one of them, and sends that one again when the
//! server asks for a token: the last one, because a server that asks for the token of an earlier one asks for that of the last
//! one, too. All that [the jar](TokenJar) says about forged challenges holds here.

use std::{io, sync::Mutex, time::Duration};

use tokio::time::Instant;

use crate::{
    Addr, ClientSendError, SendError,
    lock::locked,
    stats::{ClientCounters, add},
    timing::after,
    token::{Envelope, Reply, Stamped, TokenJar},
};

/// How long a datagram may be sent again: as long as the token in a challenge is valid by default. So a program may be late to
/// receive, and nobody makes a client repeat what it has sent long ago.
const AGAIN: Duration = Duration::from_secs(30);

/// How many challenges a call takes at most before it looks at its deadline.
pub(crate) const MOST_CHALLENGES: usize = 1_024;

/// The envelopes of a client, if it has the option.
#[derive(Debug)]
pub(crate) struct Envelopes(Option<ClientEnvelope>);

impl Envelopes {
    /// The envelopes for datagrams to `server`.
    pub(crate) fn new(is_on: bool, server: &Addr) -> Self {
        Self(is_on.then(|| ClientEnvelope::new(server.ip().is_some())))
    }

    pub(crate) const fn get(&self) -> Option<&ClientEnvelope> {
        self.0.as_ref()
    }

    /// Whether the server may ask for a token.
    pub(crate) fn have_tokens(&self) -> bool {
        self.get().is_some_and(ClientEnvelope::has_tokens)
    }

    /// The length of the longest datagram to receive, if that is `len` without envelopes: a challenge must fit.
    pub(crate) fn max_len(&self, len: usize) -> usize {
        if self.0.is_some() { len.max(Envelope::CHALLENGE) } else { len }
    }

    /// Appends what comes before the payload of a datagram, with the newest token.
    pub(crate) fn begin(&self, datagram: &mut Vec<u8>) {
        if let Some(envelope) = &self.0 {
            Envelope::begin_request(envelope.jar.token(), datagram);
        }
    }

    /// The error of a packet that could not be encoded. Lengths are those without the envelope.
    pub(crate) fn not_encoded(&self, error: SendError) -> ClientSendError {
        ClientSendError::of_encoding(match (error, &self.0) {
            (SendError::TooLarge { len, max }, Some(_)) => Envelope::too_large(len, max),
            (error, _) => error,
        })
    }

    /// Sends a datagram with `send`, which must not wait. In an envelope, it gets the newest token.
    pub(crate) fn send(
        &self,
        datagram: &mut [u8],
        send: impl FnOnce(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        match &self.0 {
            Some(envelope) => envelope.send(datagram, Instant::now(), send),
            None => send(datagram),
        }
    }

    /// Takes a datagram out of its envelope; `None` if it is in none.
    pub(crate) fn open<'a>(&self, datagram: &'a [u8]) -> Option<&'a [u8]> {
        if self.0.is_some() { Envelope::payload(datagram) } else { Some(datagram) }
    }

    /// Whether the datagram that was sent last was sent again because of a challenge.
    pub(crate) fn is_challenged(&self) -> bool {
        self.get().is_some_and(ClientEnvelope::is_challenged)
    }
}

/// The token of the server, and the datagram that was sent last.
#[derive(Debug)]
pub(crate) struct ClientEnvelope {
    jar: TokenJar,
    /// Held while a datagram is sent, so that its challenge does not come before the datagram is in here.
    last: Mutex<Option<LastSent>>,
    /// Whether the server may ask for a token. Over Unix sockets it does not.
    has_tokens: bool,
}

impl ClientEnvelope {
    fn new(has_tokens: bool) -> Self {
        Self { jar: TokenJar::default(), last: Mutex::default(), has_tokens }
    }

    const fn has_tokens(&self) -> bool {
        self.has_tokens
    }

    /// Writes the newest token into a datagram and sends it with `send`, which must not wait. Keeps it if it was sent.
    fn send(
        &self,
        datagram: &mut [u8],
        now: Instant,
        send: impl FnOnce(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        if !self.has_tokens {
            return send(datagram);
        }
        let mut last = locked(&self.last);
        let sent = self.jar.stamp(datagram);
        send(datagram)?;
        let last = last.get_or_insert_with(|| LastSent::new(Stamped::default(), now));
        last.stamped.replace(datagram, sent);
        last.until = after(now, AGAIN);
        Ok(())
    }

    /// Sends several datagrams with `send`, which must not wait. `newest` is the last one of them, and is kept if `send`
    /// returns that all were sent.
    pub(crate) fn send_several(
        &self,
        newest: Option<Vec<u8>>,
        now: Instant,
        send: impl FnOnce() -> io::Result<bool>,
    ) -> io::Result<bool> {
        let mut last = locked(&self.last);
        // Something was sent after the one that was the last.
        *last = None;
        let all = send()?;
        if let Some(newest) = newest.filter(|_| all) {
            let mut stamped = Stamped::default();
            stamped.replace(&newest, TokenJar::sent(&newest));
            *last = Some(LastSent::new(stamped, after(now, AGAIN)));
        }
        Ok(all)
    }

    /// Returns whether a datagram that has arrived is a challenge. If the server does not know the token of the datagram that
    /// was sent last, that is sent again with `send`, which must not wait. Counts both.
    pub(crate) fn is_challenge(
        &self,
        datagram: &[u8],
        counters: &ClientCounters,
        send: impl FnOnce(&[u8]) -> io::Result<()>,
    ) -> bool {
        let Some(Reply::Challenge(token)) = Reply::read(datagram) else { return false };
        add(&counters.challenges, 1);
        let mut last = locked(&self.last);
        self.jar.put(*token);
        let again = last.as_mut().and_then(|last| last.stamp_again(&self.jar, Instant::now()));
        if let Some(again) = again {
            // If it is refused, it is lost, as it was before.
            let sent = send(again);
            add(if sent.is_ok() { &counters.sent } else { &counters.send_errors }, 1);
        }
        true
    }

    /// Whether the datagram that was sent last was sent again.
    fn is_challenged(&self) -> bool {
        locked(&self.last).as_ref().is_some_and(|last| last.stamped.is_challenged)
    }
}

/// A datagram that no timer repeats, until another one is sent.
#[derive(Debug)]
pub(crate) struct LastSent {
    stamped: Stamped,
    /// A challenge that comes later is about something else, or too old.
    until: Instant,
}

impl LastSent {
    pub(crate) const fn new(stamped: Stamped, until: Instant) -> Self {
        Self { stamped, until }
    }

    /// The same as [`Stamped::stamp_again`], as long as it may be sent again.
    pub(crate) fn stamp_again(&mut self, jar: &TokenJar, now: Instant) -> Option<&[u8]> {
        if now < self.until { self.stamped.stamp_again(jar) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Request;

    fn envelope() -> ClientEnvelope {
        ClientEnvelope::new(true)
    }

    fn challenge(token: u8) -> Vec<u8> {
        [&[0x12][..], &[token; 16]].concat()
    }

    fn send(envelope: &ClientEnvelope, payload: &[u8]) -> Vec<u8> {
        let mut datagram = Vec::new();
        Envelope::begin_request(envelope.jar.token(), &mut datagram);
        datagram.extend_from_slice(payload);
        envelope.send(&mut datagram, Instant::now(), |_| Ok(())).unwrap();
        datagram
    }

    /// The token and the payload of what a challenge sends again.
    fn again(envelope: &ClientEnvelope, token: u8) -> Option<([u8; 16], Vec<u8>)> {
        let mut again = None;
        let is_challenge =
            envelope.is_challenge(&challenge(token), &ClientCounters::default(), |datagram| {
                let Request { token, payload } = Request::read(datagram).unwrap();
                again = Some((*token.unwrap(), payload.to_vec()));
                Ok(())
            });
        assert!(is_challenge);
        again
    }

    //
    #[test]
    fn the_last_datagram_is_sent_again_and_later_ones_have_the_token() {
        let envelope = envelope();
        assert_eq!(again(&envelope, 9), None);
        send(&envelope, b"one");
        send(&envelope, b"two");

        assert!(!envelope.is_challenged());
        assert_eq!(again(&envelope, 1), Some(([1; 16], b"two".to_vec())));
        assert!(envelope.is_challenged());
        assert_eq!(again(&envelope, 1), None);
        assert_eq!(send(&envelope, b"three")[1..17], [1; 16]);
        assert!(!envelope.is_challenged());
    }

    // also if it was encoded before
    #[test]
    fn a_datagram_gets_the_token_that_is_the_newest_when_it_is_sent() {
        let envelope = envelope();
        let mut datagram = Vec::new();
        Envelope::begin_request(envelope.jar.token(), &mut datagram);
        again(&envelope, 1);
        envelope.send(&mut datagram, Instant::now(), |_| Ok(())).unwrap();

        assert_eq!(datagram[1..], [1; 16]);
    }

    //
    #[test]
    fn what_was_not_sent_is_not_sent_again() {
        let envelope = envelope();
        send(&envelope, b"one");
        let full = |_: &[u8]| Err(io::ErrorKind::WouldBlock.into());
        assert!(envelope.send(&mut Envelope::request(None, b"two"), Instant::now(), full).is_err());
        assert_eq!(again(&envelope, 1), Some(([1; 16], b"one".to_vec())));

        let newest = || Some(Envelope::request(None, b"three"));
        assert!(!envelope.send_several(newest(), Instant::now(), || Ok(false)).unwrap());
        assert_eq!(again(&envelope, 2), None);
        assert!(envelope.send_several(newest(), Instant::now(), || Ok(true)).unwrap());
        assert_eq!(again(&envelope, 3), Some(([3; 16], b"three".to_vec())));
    }

    //
    #[test]
    fn a_flood_of_challenges_sends_a_datagram_again_twice() {
        let envelope = envelope();
        send(&envelope, b"one");
        assert_eq!((1..=200).filter_map(|token| again(&envelope, token)).count(), 2);
        // The next one is sent with the newest token, and may be sent again too.
        assert_eq!(send(&envelope, b"two")[1..17], [200; 16]);
        assert_eq!((1..=200).filter_map(|token| again(&envelope, token)).count(), 2);
    }

    //
    #[test]
    fn over_unix_sockets_nothing_is_kept() {
        let envelope = ClientEnvelope::new(false);
        send(&envelope, b"one");
        assert_eq!(again(&envelope, 1), None);
    }

    //
    #[tokio::test(start_paused = true)]
    async fn what_was_sent_long_ago_is_not_sent_again() {
        let envelope = envelope();
        send(&envelope, b"one");
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(again(&envelope, 1).is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(again(&envelope, 2), None);
    }
}
