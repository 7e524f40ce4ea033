//! DNS as a protocol, and its cookies as address tokens.

use datagrammar::{DatagramProtocol, DecodeError, EncodeError, PeerTokens, ValidateAddress};
use domain::base::{iana::OptRcode, opt::Cookie, opt::cookie::ServerCookie};

use super::{query::Query, response::Response};

/// The protocol of a server: it receives queries and sends responses.
pub(crate) struct Dns;

impl DatagramProtocol for Dns {
    type Incoming = Query;
    type Outgoing = Response;

    fn decode(&self, datagram: &[u8]) -> Result<Query, DecodeError> {
        Query::read(datagram)
    }

    fn encode(&self, response: &Response, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        datagram.extend_from_slice(&response.0);
        Ok(())
    }
}

impl ValidateAddress for Dns {
    fn has_valid_token(&self, datagram: &[u8], tokens: &PeerTokens<'_>) -> bool {
        let cookie = Query::read(datagram).ok().and_then(|query| query.cookie);
        cookie.is_some_and(|cookie| {
            let server = cookie.server().map_or(&[][..], AsRef::as_ref);
            tokens.is_valid_dns_cookie(cookie.client().into_octets(), server)
        })
    }

    /// A challenge must not be longer than its query. So it is the first of these that fits:
    ///
    /// 1. BADCOOKIE with the question and the cookies of both (RFC 7873, section 5.2.3). It fits if the query has a server
    ///    cookie, which is too old or wrong, or a Padding option.
    /// 2. The same without the question, but with TC. A query with a client cookie only is 16 bytes shorter than the first one.
    ///    The client cookie says which query it belongs to. TC is for clients that look at the question before the cookie:
    ///    without one, they accept a response only if it sends them to TCP.
    /// 3. TC without cookies: for clients that send none, and for the few names that are shorter than 12 bytes.
    ///
    /// RFC 7873 lets a server choose, but it must tell clients the correct cookie at least sometimes: TC alone would not. NSD
    /// never answers with BADCOOKIE. BIND, if it requires cookies, sends the first one to each client.
    fn challenge(&self, datagram: &[u8], tokens: &PeerTokens<'_>, challenge: &mut Vec<u8>) -> bool {
        let Ok(mut query) = Query::read(datagram) else { return false };
        query.cookie = cookie(&query, tokens);
        let fitting = |query: &Query, rcode, has_question| {
            let response = Response::empty(query, rcode, has_question).ok();
            response.filter(|response| response.0.len() <= datagram.len())
        };
        let bad = |has_question| fitting(&query, OptRcode::BADCOOKIE, has_question);
        let with_cookie = query.cookie.is_some().then(|| bad(true).or_else(|| bad(false)));
        query.cookie = None;
        let tc = || fitting(&query, OptRcode::NOERROR, true);
        let response = with_cookie.flatten().or_else(tc);
        challenge.extend(response.iter().flat_map(|response| &response.0));
        response.is_some()
    }
}

/// The cookie of the response to a query with a client cookie. A fresh server cookie is sent back as it is.
pub(crate) fn cookie(query: &Query, tokens: &PeerTokens<'_>) -> Option<Cookie> {
    let cookie = query.cookie.as_ref()?;
    let client = cookie.client().into_octets();
    if cookie.server().is_some_and(|it| tokens.is_fresh_dns_cookie(client, it.as_ref())) {
        return Some(cookie.clone());
    }
    let server = ServerCookie::from_octets(&tokens.issue_dns_cookie(client));
    Some(Cookie::new(cookie.client(), Some(server)))
}
