//! The token that a client has received last, and how often it repeats a datagram because of a new one.
//!
//! # Forged challenges
//!
//! A client cannot check a token: only the server has the secret. An attacker who can send datagrams with the address of the
//! server, and knows the port of the client, can forge a challenge. It does this, and no more:
//!
//! - The client sends its next datagrams with a token that is not valid. The server answers with a true challenge, and the
//!   client has a valid token again. So each forged challenge costs one round trip.
//! - A datagram is sent at most three times because of challenges, however many arrive: once, and [`REPEATS`] times. One
//!   repetition is for the true challenge, and one for a forged challenge that comes before it.
//! - If two forged challenges come before the true one, that datagram is lost, like one that the network has lost. The jar has
//!   the true token by then. An attacker who is faster than the server each time, for as long as he goes on, keeps the client
//!   from being served.
//!
//! A challenge contains no payload, so a forged one passes nothing to the program.

use std::sync::Mutex;

use super::envelope::{Envelope, Request};
use crate::lock::locked;

/// How many times a datagram is sent again because of a challenge.
const REPEATS: u8 = 2;

/// The token that a client has received last. All tasks that use a client share it.
#[derive(Debug, Default)]
pub(crate) struct TokenJar(Mutex<Option<[u8; 16]>>);

/// A datagram that was sent, until it is answered.
#[derive(Debug)]
pub(crate) struct Sent {
    token: Option<[u8; 16]>,
    repeats: u8,
}

impl Sent {
    /// The token that it was sent with.
    pub(super) const fn token(&self) -> Option<[u8; 16]> {
        self.token
    }
}

impl TokenJar {
    /// Replaces the token, because of a challenge.
    pub(crate) fn put(&self, token: [u8; 16]) {
        *locked(&self.0) = Some(token);
    }

    /// The token for the next datagram.
    pub(crate) fn token(&self) -> Option<[u8; 16]> {
        *locked(&self.0)
    }

    /// A request that was sent with the token that is in it.
    pub(crate) fn sent(request: &[u8]) -> Sent {
        let token = Request::read(request).and_then(|request| request.token.copied());
        Sent { token, repeats: REPEATS }
    }

    /// Writes the token into a request that is sent for the first time, or by a timer.
    pub(crate) fn stamp(&self, request: &mut [u8]) -> Sent {
        let token = self.token();
        write(token, request);
        Sent { token, repeats: REPEATS }
    }

    /// Returns whether a request is to be sent again at once, because there is another token than it was sent with. Then that
    /// token is in it.
    pub(crate) fn stamp_again(&self, request: &mut [u8], sent: &mut Sent) -> bool {
        let token = self.token();
        if token == sent.token || sent.repeats == 0 {
            return false;
        }
        write(token, request);
        *sent = Sent { token, repeats: sent.repeats - 1 };
        true
    }
}

fn write(token: Option<[u8; 16]>, request: &mut [u8]) {
    if let (Some(token), Some(place)) = (token, Envelope::token_mut(request)) {
        *place = token;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Vec<u8> {
        let mut request = Vec::new();
        Envelope::begin_request(None, &mut request);
        request.extend_from_slice(b"hi");
        request
    }

    fn token_of(request: &[u8]) -> Option<[u8; 16]> {
        let request = Request::read(request).unwrap();
        assert_eq!(request.payload, b"hi");
        request.token.copied()
    }

    //
    #[test]
    fn a_challenge_repeats_a_datagram_once() {
        let (jar, mut first) = (TokenJar::default(), request());
        let mut sent = jar.stamp(&mut first);
        assert_eq!(token_of(&first), None);
        assert!(!jar.stamp_again(&mut first, &mut sent));

        jar.put([1; 16]);
        assert!(jar.stamp_again(&mut first, &mut sent));
        assert_eq!(token_of(&first), Some([1; 16]));
        jar.put([1; 16]);
        assert!(!jar.stamp_again(&mut first, &mut sent));

        let mut second = request();
        jar.stamp(&mut second);
        assert_eq!(token_of(&second), Some([1; 16]));
    }

    //
    #[test]
    fn one_forged_challenge_does_not_prevent_the_true_one() {
        let (jar, mut request) = (TokenJar::default(), request());
        let mut sent = jar.stamp(&mut request);

        jar.put([0xbb; 16]);
        assert!(jar.stamp_again(&mut request, &mut sent));
        jar.put([1; 16]);
        assert!(jar.stamp_again(&mut request, &mut sent));
        assert_eq!(token_of(&request), Some([1; 16]));
    }

    //
    #[test]
    fn a_flood_of_forged_challenges_repeats_a_datagram_twice() {
        let (jar, mut request) = (TokenJar::default(), request());
        let mut sent = jar.stamp(&mut request);

        let repeats = (1..=1_000_u128).filter(|n| {
            jar.put(n.to_be_bytes());
            jar.stamp_again(&mut request, &mut sent)
        });
        assert_eq!(repeats.count(), 2);
        assert_eq!(token_of(&request), Some(2_u128.to_be_bytes()));

        jar.stamp(&mut request);
        assert_eq!(token_of(&request), Some(1_000_u128.to_be_bytes()));
    }

    //
    #[test]
    fn what_is_no_request_is_not_changed() {
        let jar = TokenJar::default();
        jar.put([1; 16]);

        for bytes in [&b""[..], &[0x10], &[0x10; 16], &[0x11; 40]] {
            let mut datagram = bytes.to_vec();
            jar.stamp(&mut datagram);
            assert_eq!(datagram, bytes);
        }
    }
}
