//! Responses, as the crate `domain` writes them.

use domain::base::iana::{Opcode, Rcode};
use domain::base::{MessageBuilder, StaticCompressor};
use domain::base::{message_builder::PushError, opt::Cookie};

use super::query::{LONGEST, Query, header_only};
use super::zone::Answer;

/// The length of an OPT record, and of the cookies of client and server in it.
const OPT: usize = 11;
const COOKIES: usize = 28;

/// A response, as it is on the wire.
pub(crate) struct Response(pub(crate) Vec<u8>);

impl Response {
    /// The response with this answer. If that does not fit, an empty one with TC: all of an answer is necessary, since the zone
    /// adds addresses to referrals only (RFC 9471).
    pub(crate) fn new(
        query: &Query,
        answer: &Answer<'_>,
        cookie: Option<&Cookie>,
    ) -> Result<Self, PushError> {
        Self::write(query, answer, cookie)
            .or_else(|_| Self::write(query, &answer.truncated(), cookie))
    }

    fn write(
        query: &Query,
        answer: &Answer<'_>,
        cookie: Option<&Cookie>,
    ) -> Result<Self, PushError> {
        let mut message = MessageBuilder::from_target(StaticCompressor::new(Vec::new()))?;
        let of_opt = query.opt.as_ref().map_or(0, |_| OPT + cookie.map_or(0, |_| COOKIES));
        // What reaches the limit is too long for it.
        message.set_push_limit(query.max_len() - of_opt + 1);
        let mut message = message.start_answer(&query.message, answer.rcode.rcode())?;
        message.header_mut().set_aa(answer.is_authoritative);
        message.header_mut().set_tc(answer.is_truncated);
        for (owner, record) in &answer.records {
            message.push((owner, record.class(), record.ttl(), record.data()))?;
        }
        let mut message = message.authority();
        answer.authority.iter().try_for_each(|record| message.push(record))?;
        let mut message = message.additional();
        answer.additional.iter().try_for_each(|record| message.push(record))?;
        message.clear_push_limit();
        if let Some(of_query) = &query.opt {
            message.opt(|opt| {
                opt.set_udp_payload_size(LONGEST);
                opt.set_rcode(answer.rcode);
                opt.set_dnssec_ok(of_query.dnssec_ok());
                cookie.map_or(Ok(()), |cookie| opt.push(cookie))
            })?;
        }
        Ok(Self(message.finish().into_target()))
    }

    /// The response to what is no query with one question, if it has a header and is not a response itself.
    pub(crate) fn refusal(datagram: &[u8]) -> Option<Self> {
        let header = header_only(datagram).filter(|message| !message.header().qr())?;
        let is_query = header.header().opcode() == Opcode::QUERY;
        let rcode = if is_query { Rcode::FORMERR } else { Rcode::NOTIMP };
        Some(Self(MessageBuilder::new_vec().start_error(&header, rcode).finish()))
    }
}
