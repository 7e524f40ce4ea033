//! The tokens of one peer, at one time.

use std::{
    hint,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{
    secret::TokenSecret,
    secrets::TokenSecrets,
    time::{is_in_time, seconds_of_lifetime},
};

/// Makes and checks the tokens of one peer, at one time; made by [`AddressTokens::for_peer`](crate::AddressTokens::for_peer).
///
/// A server makes one for each datagram of a peer whose address is not validated, and passes it to
/// [`ValidateAddress`](crate::ValidateAddress).
///
/// There are three kinds. One of them is never valid in place of another:
///
/// | kind | bytes | bound to | lifetime |
/// | --- | ---: | --- | --- |
/// | [`issue`](Self::issue), [`is_valid`](Self::is_valid) | 16 | IP address, port, context | [`AddressTokens::lifetime`](crate::AddressTokens::lifetime) |
/// | [`issue_short`](Self::issue_short), [`is_valid_short`](Self::is_valid_short) | 8 | IP address, port, context | the same, at most 10 minutes |
/// | [`issue_dns_cookie`](Self::issue_dns_cookie), [`is_valid_dns_cookie`](Self::is_valid_dns_cookie), [`is_fresh_dns_cookie`](Self::is_fresh_dns_cookie) | 16 | IP address, client cookie | 1 hour ([RFC 9018]) |
///
/// The *context* is any bytes of the protocol that a token shall be bound to, such as the name of an operation. A token is
/// valid only with the context that it was issued with. Most protocols need none: `b""`.
///
/// All hashes are compared in constant time. Which of several secrets has signed a token is not a secret.
///
/// [RFC 9018]: https://www.rfc-editor.org/rfc/rfc9018
#[derive(Clone, Copy, Debug)]
pub struct PeerTokens<'a> {
    secrets: &'a TokenSecrets,
    ip: IpAddr,
    port: u16,
    /// In seconds since 1970, modulo 2³².
    now: u32,
    lifetime: u32,
    skew: u32,
}

/// What all tokens begin with: the version and the reserved bytes.
const VERSION: [u8; 4] = [1, 0, 0, 0];

/// Byte 8 of what is hashed says which kind of token it is. In a DNS cookie it is the version, where these two are for
/// private use.
const LONG: u8 = 0xf0;
const SHORT: u8 = 0xf1;

/// The unit of time of a short token, and how many units it may be old or ahead, within the 256 that it can tell apart.
const UNIT: u32 = 4;
const OLDEST: u32 = 150;
const NEWEST: u32 = 15;

/// The times of RFC 9018, section 4.3.
const DNS_LIFETIME: u32 = 3_600;
const DNS_RENEWAL: u32 = 1_800;
const DNS_SKEW: u32 = 300;

impl<'a> PeerTokens<'a> {
    pub(super) const fn new(
        secrets: &'a TokenSecrets,
        addr: SocketAddr,
        now: u32,
        lifetime: u32,
        skew: u32,
    ) -> Self {
        // An IPv4 peer of a dual-stack socket is the same peer as that of an IPv4 socket.
        Self { secrets, ip: addr.ip().to_canonical(), port: addr.port(), now, lifetime, skew }
    }

    /// Sets how long a token is valid, in place of [`AddressTokens::lifetime`](crate::AddressTokens::lifetime), for a protocol
    /// that prescribes it. The limits are the same: 1 s and a day.
    ///
    /// # Examples
    ///
    /// A tracker of BitTorrent should accept a connection id for two minutes ([BEP 15]):
    ///
    /// ```
    /// use datagrammar::PeerTokens;
    /// use std::time::Duration;
    ///
    /// fn is_connected(connection_id: &[u8], tokens: &PeerTokens<'_>) -> bool {
    ///     tokens.lifetime(Duration::from_secs(120)).is_valid_short(b"", connection_id)
    /// }
    /// # use datagrammar::{AddressTokens, TokenSecret};
    /// # use std::time::SystemTime;
    /// # let tokens = AddressTokens::new(TokenSecret::from([7; 16]));
    /// # let (addr, now) = ("192.0.2.7:5000".parse()?, SystemTime::now());
    /// # let id = tokens.for_peer(addr, now).issue_short(b"");
    /// # let later = tokens.for_peer(addr, now + Duration::from_secs(120));
    /// # assert!(is_connected(&id, &later) && !later.is_valid_short(b"", &id));
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    ///
    /// [BEP 15]: https://www.bittorrent.org/beps/bep_0015.html
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = seconds_of_lifetime(lifetime);
        self
    }

    /// Makes a token of 16 bytes. Its format is on the page of [`AddressTokens`](crate::AddressTokens#format).
    ///
    /// It is never all zeros, so a protocol can use zeros for "no token".
    #[must_use]
    pub fn issue(&self, context: &[u8]) -> [u8; 16] {
        let header = header(VERSION, self.now);
        let hash = self.sign(&self.hashed(LONG, header), context);
        joined(header, hash.to_le_bytes())
    }

    /// Returns whether `token` was [issued](Self::issue) to this peer with this context, by a server with one of the same
    /// secrets, within the lifetime. Bytes that are no token are not valid.
    #[must_use]
    pub fn is_valid(&self, context: &[u8], token: &[u8]) -> bool {
        let Some((header, hash)) = split(token) else { return false };
        header.starts_with(&VERSION)
            && self.is_in_time(time(header), self.lifetime, self.skew)
            && self.signer(&self.hashed(LONG, header), context, hash, u64::MAX).is_some()
    }

    /// Makes a token of 8 bytes, for protocols with less room. Its format is on the page of
    /// [`AddressTokens`](crate::AddressTokens#the-short-form), and so is what a guess costs: prefer [`issue`](Self::issue).
    #[must_use]
    pub fn issue_short(&self, context: &[u8]) -> [u8; 8] {
        let time = self.now - self.now % UNIT;
        let hash = self.sign(&self.hashed(SHORT, header(VERSION, time)), context);
        let [a, b, c, d, e, f, g, _] = hash.to_le_bytes();
        [(time / UNIT) as u8, a, b, c, d, e, f, g]
    }

    /// Returns whether `token` was [issued](Self::issue_short) to this peer with this context, by a server with one of the
    /// same secrets, within the lifetime.
    ///
    /// The lifetime is at most 10 minutes in this form. The time of a token is rounded, so it is valid for up to 7 s longer.
    #[must_use]
    pub fn is_valid_short(&self, context: &[u8], token: &[u8]) -> bool {
        let Ok([units, hash @ ..]) = <[u8; 8]>::try_from(token) else { return false };
        let now = self.now - self.now % UNIT;
        // How far the time is back, of the 256 units before `NEWEST` units from now.
        let back = ((now / UNIT + NEWEST) as u8).wrapping_sub(units);
        let time = now.wrapping_add(NEWEST * UNIT).wrapping_sub(u32::from(back) * UNIT);
        let oldest = self.lifetime.div_ceil(UNIT).min(OLDEST) * UNIT;
        let newest = self.skew.div_ceil(UNIT).min(NEWEST) * UNIT;
        let [a, b, c, d, e, f, g] = hash;
        let hash = u64::from_le_bytes([a, b, c, d, e, f, g, 0]);
        is_in_time(now, time, oldest, newest)
            && self
                .signer(&self.hashed(SHORT, header(VERSION, time)), context, hash, u64::MAX >> 8)
                .is_some()
    }

    /// Makes the server cookie of DNS for the client cookie of a query: [RFC 9018], section 4. It does not depend on the port.
    ///
    /// DNS servers of other makers that have the same secret make the same cookie.
    ///
    /// [RFC 9018]: https://www.rfc-editor.org/rfc/rfc9018#section-4
    ///
    /// # Examples
    ///
    /// The first vector of RFC 9018, appendix A:
    ///
    /// ```
    /// use datagrammar::{AddressTokens, TokenSecret};
    /// use std::time::{Duration, UNIX_EPOCH};
    ///
    /// let secret: TokenSecret = "e5e973e5a6b2a43f48e7dc849e37bfcf".parse()?;
    /// let tokens = AddressTokens::new(secret);
    /// let now = UNIX_EPOCH + Duration::from_secs(1_559_731_985);
    /// let peer = tokens.for_peer("198.51.100.100:57406".parse()?, now);
    ///
    /// let cookie = peer.issue_dns_cookie(0x2464c4abcf10c957_u64.to_be_bytes());
    /// assert_eq!(u128::from_be_bytes(cookie), 0x010000005cf79f111f8130c3eee29480);
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub fn issue_dns_cookie(&self, client_cookie: [u8; 8]) -> [u8; 16] {
        let header = header(VERSION, self.now);
        let hash = self.dns(client_cookie, header, |hashed| self.sign(hashed, b""));
        joined(header, hash.to_le_bytes())
    }

    /// Returns whether `server_cookie` is a server cookie of DNS for this client cookie and the IP address of this peer, not
    /// older than 1 hour, and not more than 5 minutes in the future ([RFC 9018], section 4.3).
    ///
    /// These times do not depend on the options of [`AddressTokens`](crate::AddressTokens). A cookie whose reserved
    /// bytes are not zero is valid, if the hash covers them, as the RFC demands.
    ///
    /// [RFC 9018]: https://www.rfc-editor.org/rfc/rfc9018#section-4.3
    #[must_use]
    pub fn is_valid_dns_cookie(&self, client_cookie: [u8; 8], server_cookie: &[u8]) -> bool {
        self.dns_signer(client_cookie, server_cookie, DNS_LIFETIME).is_some()
    }

    /// Returns whether a cookie is [valid](Self::is_valid_dns_cookie), less than 30 minutes old, and made with the first
    /// secret. Then the server may send it back; otherwise it sends a [new one](Self::issue_dns_cookie).
    #[must_use]
    pub fn is_fresh_dns_cookie(&self, client_cookie: [u8; 8], server_cookie: &[u8]) -> bool {
        self.dns_signer(client_cookie, server_cookie, DNS_RENEWAL - 1) == Some(0)
    }

    /// The place of the secret that has signed a server cookie of DNS that is in time.
    fn dns_signer(&self, client: [u8; 8], server: &[u8], oldest: u32) -> Option<usize> {
        let (header, hash) = split(server)?;
        if header[0] != VERSION[0] || !self.is_in_time(time(header), oldest, DNS_SKEW) {
            return None;
        }
        self.dns(client, header, |hashed| self.signer(hashed, b"", hash, u64::MAX))
    }

    /// Calls `hash` with what the hash of a server cookie covers: 20 bytes for IPv4, 32 bytes for IPv6.
    fn dns<T>(&self, client: [u8; 8], header: [u8; 8], hash: impl Fn(&[u8]) -> T) -> T {
        let mut hashed = [0; 32];
        hashed[..8].copy_from_slice(&client);
        hashed[8..16].copy_from_slice(&header);
        match self.ip {
            IpAddr::V4(ip) => {
                hashed[16..20].copy_from_slice(&ip.octets());
                hash(&hashed[..20])
            }
            IpAddr::V6(ip) => {
                hashed[16..].copy_from_slice(&ip.octets());
                hash(&hashed)
            }
        }
    }

    /// What the hash of a token covers, except for the context.
    fn hashed(&self, kind: u8, header: [u8; 8]) -> [u8; 27] {
        let ip = match self.ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        let mut hashed = [kind; 27];
        hashed[..8].copy_from_slice(&header);
        hashed[9..25].copy_from_slice(&ip.octets());
        hashed[25..].copy_from_slice(&self.port.to_be_bytes());
        hashed
    }

    fn sign(&self, hashed: &[u8], context: &[u8]) -> u64 {
        self.secrets.sign(|secret| secret.hash(hashed, context))
    }

    /// The place of the secret whose hash has these bits under the mask.
    fn signer(&self, hashed: &[u8], context: &[u8], bits: u64, mask: u64) -> Option<usize> {
        let is_signed = |secret: &TokenSecret| is_same(secret.hash(hashed, context) & mask, bits);
        self.secrets.position(is_signed)
    }

    fn is_in_time(&self, time: u32, oldest: u32, newest: u32) -> bool {
        is_in_time(self.now, time, oldest, newest)
    }
}

/// Compares in constant time: the numbers are in registers, and no part of their difference is looked at by itself.
fn is_same(a: u64, b: u64) -> bool {
    hint::black_box(a ^ b) == 0
}

fn header([a, b, c, d]: [u8; 4], time: u32) -> [u8; 8] {
    let [e, f, g, h] = time.to_be_bytes();
    [a, b, c, d, e, f, g, h]
}

/// The time of a header.
const fn time([_, _, _, _, a, b, c, d]: [u8; 8]) -> u32 {
    u32::from_be_bytes([a, b, c, d])
}

fn joined(header: [u8; 8], hash: [u8; 8]) -> [u8; 16] {
    let mut token = [0; 16];
    token[..8].copy_from_slice(&header);
    token[8..].copy_from_slice(&hash);
    token
}

/// The header and the hash of 16 bytes.
fn split(token: &[u8]) -> Option<([u8; 8], u64)> {
    let ([header, hash], []) = token.as_chunks::<8>() else { return None };
    Some((*header, u64::from_le_bytes(*hash)))
}

#[cfg(test)]
mod tests;
