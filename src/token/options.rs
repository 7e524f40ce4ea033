//! The options of address tokens.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use super::{
    peer::PeerTokens,
    secrets::TokenSecrets,
    time::{seconds_of_lifetime, seconds_up, serial},
};

/// Makes and checks address tokens: a few bytes that prove that a peer receives what is sent to its address.
///
/// Anybody can send a datagram with the source address of somebody else. A server that answers such a datagram at length
/// floods the real owner of the address, and one that begins a conversation for it can be made to run out of places. So a
/// server first sends its peer a token, in a datagram that is not longer than the one it answers, and keeps nothing. A peer
/// that repeats the token in its next datagram has received it. QUIC validates addresses in this way ([RFC 9000], section
/// 8.1), and so do DNS cookies ([RFC 7873]), CoAP's Echo option ([RFC 9175]) and BitTorrent trackers ([BEP 15]).
///
/// A token contains the time, and a keyed hash of the time, the address and the port. So a server recognizes its tokens
/// without storing them, also after a restart, and so do all servers with the same [secrets](TokenSecrets).
///
/// A protocol with a place for a token implements [`ValidateAddress`](crate::ValidateAddress), and makes and checks tokens
/// there, with [`PeerTokens`]. For other protocols, there is an
/// [envelope](crate::ServerBuilder::address_token_envelope) around their datagrams.
///
/// | option | default |
/// | --- | --- |
/// | [`lifetime`](Self::lifetime) | 30 s |
/// | [`max_clock_skew`](Self::max_clock_skew) | 5 s |
/// | [`required`](Self::required) | only when places become scarce |
///
/// # Format
///
/// A token has 16 bytes, and the layout of the server cookies of DNS ([RFC 9018], section 4). Numbers are big-endian, except
/// for the hash:
///
/// | byte | content |
/// | --- | --- |
/// | 0 | the version, 1 |
/// | 1 to 3 | 0 |
/// | 4 to 7 | the time at which it was issued: seconds since 1970, modulo 2³²; compared as [RFC 1982] says |
/// | 8 to 15 | the SipHash-2-4 of the bytes below, with the secret as the key; little-endian |
///
/// | hashed byte | content |
/// | --- | --- |
/// | 0 to 7 | bytes 0 to 7 of the token |
/// | 8 | `f0`; this byte is 1 in a DNS cookie, so one is never valid in place of the other |
/// | 9 to 24 | the IP address; an IPv4 address as `::ffff:192.0.2.7` |
/// | 25, 26 | the port |
/// | 27 to the end | the context, which the protocol chooses |
///
/// The number of the interface of a link-local address is not in it, since it differs from host to host. For example, with
/// the secret `00 01 … 0f`, at the second 1,559,731,985 (`5cf79f11`):
///
/// ```text
/// peer                  context     token
/// 192.0.2.7:5000        (empty)     01000000 5cf79f11 3f5bea908ce0f904
/// 192.0.2.7:5000        "login"     01000000 5cf79f11 1d24e1b50858ca22
/// [2001:db8::7]:5000    (empty)     01000000 5cf79f11 49f413a0e4e12c95
/// ```
///
/// ## The short form
///
/// Some protocols have room for 8 bytes only. The time is then a multiple of 4 seconds:
///
/// | byte | content |
/// | --- | --- |
/// | 0 | the time divided by 4, modulo 256 |
/// | 1 to 7 | the first 7 bytes of a hash as above, for a token of that time, with `f1` in place of `f0` |
///
/// With the secret, time and peers of the example above, the short tokens are:
///
/// ```text
/// 192.0.2.7:5000        (empty)     c4 0d25ae5ea4a199
/// [2001:db8::7]:5000    "login"     c4 fff751299f84f0
/// ```
///
/// # Security
///
/// - **An attacker who sees a token can use it.** It does not protect from somebody on the path between the peer and the
///   server, and it does not authenticate a user: for that, see [`Signed`](crate::Signed) and [`Sealed`](crate::Sealed).
/// - **Guessing.** Each guess is a datagram, and a hit proves one address for the rest of the lifetime. At a million guesses
///   a second, an attacker hits once in 580,000 years, and once in 2,300 years in the short form. Each further secret divides
///   these times: with two they are half as long.
/// - **Reuse.** A token is valid any number of times within its lifetime.
/// - **The clock.** If the clock of a server is set back by more than [`max_clock_skew`](Self::max_clock_skew), its earlier
///   tokens come from the future and are refused. Their peers get new ones.
///
/// [BEP 15]: https://www.bittorrent.org/beps/bep_0015.html
/// [RFC 1982]: https://www.rfc-editor.org/rfc/rfc1982
/// [RFC 7873]: https://www.rfc-editor.org/rfc/rfc7873
/// [RFC 9000]: https://www.rfc-editor.org/rfc/rfc9000#section-8.1
/// [RFC 9018]: https://www.rfc-editor.org/rfc/rfc9018#section-4
/// [RFC 9175]: https://www.rfc-editor.org/rfc/rfc9175
///
/// # Examples
///
/// ```
/// use datagrammar::{AddressTokens, TokenSecret};
/// use std::time::{Duration, SystemTime};
///
/// let tokens = AddressTokens::new(TokenSecret::generate()?);
/// let now = SystemTime::now();
/// let peer = tokens.for_peer("192.0.2.7:5000".parse()?, now);
/// let token = peer.issue(b"");
///
/// assert!(peer.is_valid(b"", &token));
/// let other = tokens.for_peer("192.0.2.8:5000".parse()?, now);
/// assert!(!other.is_valid(b"", &token));
/// let later = tokens.for_peer("192.0.2.7:5000".parse()?, now + Duration::from_secs(31));
/// assert!(!later.is_valid(b"", &token));
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[doc(alias("cookie", "retry", "address validation", "spoofing", "amplification"))]
#[derive(Clone, Debug)]
pub struct AddressTokens {
    secrets: TokenSecrets,
    /// In seconds.
    lifetime: u32,
    skew: u32,
    required: bool,
}

impl AddressTokens {
    /// Makes and checks tokens with these secrets, or with this secret.
    #[must_use]
    pub fn new(secrets: impl Into<TokenSecrets>) -> Self {
        Self { secrets: secrets.into(), lifetime: 30, skew: 5, required: false }
    }

    /// Sets how long a token is valid. The default is 30 s. A part of a second counts as a whole one; less than 1 s counts
    /// as 1 s, and more than a day as a day.
    ///
    /// A protocol whose clients expect another lifetime can set its own: [`PeerTokens::lifetime`].
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = seconds_of_lifetime(lifetime);
        self
    }

    /// Sets how far the clock of another server with the same secrets may be ahead of this one. The default is 5 s. A part of
    /// a second counts as a whole one, and more than an hour as an hour.
    ///
    /// A server whose clock is behind needs no allowance: its tokens only expire sooner elsewhere.
    #[must_use]
    pub fn max_clock_skew(mut self, skew: Duration) -> Self {
        self.skew = seconds_up(skew).min(3_600);
        self
    }

    /// Sets whether a peer always needs a token to open a conversation. The default is false: a server asks for tokens only
    /// while peers that are not validated hold more than a quarter of
    /// [`max_conversations`](crate::Limits::max_conversations).
    ///
    /// With true, each first datagram of a client costs a round trip, and one without a token costs the server no place, no
    /// decoding and no reply cache. Protocols in which the token is part of each request, as in BitTorrent trackers, need
    /// true.
    #[must_use]
    pub const fn required(mut self, required: bool) -> Self {
        self.required = required;
        self
    }

    /// Returns whether a peer always needs a token; see [`required`](Self::required).
    #[must_use]
    pub const fn get_required(&self) -> bool {
        self.required
    }

    /// Returns how long a token is valid; see [`lifetime`](Self::lifetime).
    #[must_use]
    pub const fn get_lifetime(&self) -> Duration {
        Duration::from_secs(self.lifetime as u64)
    }

    /// Returns how far another clock may be ahead; see [`max_clock_skew`](Self::max_clock_skew).
    #[must_use]
    pub const fn get_max_clock_skew(&self) -> Duration {
        Duration::from_secs(self.skew as u64)
    }

    /// Returns what makes and checks the tokens of one peer, at this time.
    #[must_use]
    pub fn for_peer(&self, addr: SocketAddr, now: SystemTime) -> PeerTokens<'_> {
        PeerTokens::new(&self.secrets, addr, serial(now), self.lifetime, self.skew)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokenSecret;

    // A-31
    #[test]
    fn options_count_whole_seconds_within_their_range() {
        let tokens = AddressTokens::new(TokenSecret::from([7; 16]));
        let of = |duration| {
            let tokens = tokens.clone().lifetime(duration).max_clock_skew(duration);
            (tokens.get_lifetime().as_secs(), tokens.get_max_clock_skew().as_secs())
        };

        assert_eq!(
            (tokens.get_lifetime().as_secs(), tokens.get_max_clock_skew().as_secs()),
            (30, 5)
        );
        assert_eq!(of(Duration::ZERO), (1, 0));
        assert_eq!(of(Duration::from_millis(1)), (1, 1));
        assert_eq!(of(Duration::from_secs(120)), (120, 120));
        assert_eq!(of(Duration::from_millis(120_001)), (121, 121));
        assert_eq!(of(Duration::from_secs(86_401)), (86_400, 3_600));
        assert_eq!(of(Duration::MAX), (86_400, 3_600));
        assert!(!tokens.get_required() && tokens.required(true).get_required());
    }
}
