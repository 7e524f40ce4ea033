//! Responses, as the crate `domain` writes them.

use domain::base::iana::{Opcode, Rcode};
use domain::base::message_builder::PushError;
use domain::base::{Message, MessageBuilder, StaticCompressor, opt::Cookie};

use super::query::{LONGEST, Query};
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
        let target = Vec::with_capacity(LONGEST.into());
        let mut message = MessageBuilder::from_target(StaticCompressor::new(target))?;
        let of_opt = query.edns.as_ref().map_or(0, |_| OPT + cookie.map_or(0, |_| COOKIES));
        // What reaches the limit is too long for it.
        message.set_push_limit(query.max_len() - of_opt + 1);
        let header = message.header_mut();
        header.set_id(query.header.id());
        header.set_qr(true);
        header.set_rd(query.header.rd());
        header.set_rcode(answer.rcode.rcode());
        header.set_aa(answer.is_authoritative);
        header.set_tc(answer.is_truncated);
        let mut message = message.question();
        if answer.has_question {
            message.push(&query.question)?;
        }
        let mut message = message.answer();
        for (owner, record) in &answer.records {
            message.push((owner, record.class(), record.ttl(), record.data()))?;
        }
        let mut message = message.authority();
        answer.authority.iter().try_for_each(|record| message.push(record))?;
        let mut message = message.additional();
        answer.additional.iter().try_for_each(|record| message.push(record))?;
        message.clear_push_limit();
        if let Some(edns) = &query.edns {
            message.opt(|opt| {
                opt.set_udp_payload_size(LONGEST);
                opt.set_rcode(answer.rcode);
                opt.set_dnssec_ok(edns.dnssec_ok);
                cookie.map_or(Ok(()), |cookie| opt.push(cookie))
            })?;
        }
        Ok(Self(message.finish().into_target()))
    }

    /// The response to what is no query with one question, if it has a header and is not a response itself.
    pub(crate) fn refusal(datagram: &[u8]) -> Option<Self> {
        // Only the header, with no questions and no records.
        let (header, _) = datagram.split_first_chunk::<12>()?;
        let message = Message::from_octets([&header[..4], &[0; 8]].concat()).ok()?;
        if message.header().qr() {
            return None;
        }
        let is_query = message.header().opcode() == Opcode::QUERY;
        let rcode = if is_query { Rcode::FORMERR } else { Rcode::NOTIMP };
        Some(Self(MessageBuilder::new_vec().start_error(&message, rcode).finish()))
    }
}
