//! Responses, as the crate `domain` writes them.

use domain::base::iana::{Opcode, OptRcode, Rcode};
use domain::base::message_builder::{AdditionalBuilder, PushError, QuestionBuilder};
use domain::base::{Message, MessageBuilder, StaticCompressor};

use super::{query::LONGEST, query::Query, zone::Zone};

pub(crate) type Target = StaticCompressor<Vec<u8>>;
pub(crate) type Written<T> = Result<T, PushError>;

/// A response, as it is on the wire.
pub(crate) struct Response(pub(crate) Vec<u8>);

impl Response {
    /// What the zone answers, with the cookies that are in the query now. If that is too long, an empty response with TC: all of
    /// an answer is necessary, since the zone adds addresses to referrals only (RFC 9471).
    pub(crate) fn new(query: &Query, zone: &Zone, max_len: usize) -> Written<Self> {
        if let Some(error) = query.error() {
            return Self::empty(query, error, true);
        }
        let mut message = start(query)?;
        message.push(&query.question)?;
        let mut message = zone.answer(&query.question, message.answer())?;
        let rcode = message.header().rcode().into();
        add_opt(&mut message, query, rcode)?;
        if message.as_slice().len() > max_len {
            message = message.answer().tc_rewind_into().additional();
            add_opt(&mut message, query, rcode)?;
        }
        Ok(Self(message.finish().into_target()))
    }

    /// A response without records. If it has no question or no error, TC lets the client ask again by TCP.
    pub(crate) fn empty(query: &Query, rcode: OptRcode, has_question: bool) -> Written<Self> {
        let mut message = start(query)?;
        message.header_mut().set_rcode(rcode.rcode());
        message.header_mut().set_tc(!has_question || rcode == OptRcode::NOERROR);
        if has_question {
            message.push(&query.question)?;
        }
        let mut message = message.additional();
        add_opt(&mut message, query, rcode)?;
        Ok(Self(message.finish().into_target()))
    }

    /// The response to what is no query with one question, if it has a header and is not a response itself.
    pub(crate) fn refusal(datagram: &[u8]) -> Option<Self> {
        // The header as that of a message without questions and records.
        let header = [datagram.first_chunk::<12>()?.get(..4)?, &[0; 8]].concat();
        let message = Message::from_octets(header).ok().filter(|it| !it.header().qr())?;
        let is_query = message.header().opcode() == Opcode::QUERY;
        let rcode = if is_query { Rcode::FORMERR } else { Rcode::NOTIMP };
        Some(Self(MessageBuilder::new_vec().start_error(&message, rcode).finish()))
    }
}

fn start(query: &Query) -> Written<QuestionBuilder<Target>> {
    let target = StaticCompressor::new(Vec::with_capacity(LONGEST.into()));
    let mut message = MessageBuilder::from_target(target)?.question();
    message.header_mut().set_id(query.header.id());
    message.header_mut().set_qr(true);
    message.header_mut().set_rd(query.header.rd());
    Ok(message)
}

/// Adds an OPT record if the query has one.
fn add_opt(to: &mut AdditionalBuilder<Target>, query: &Query, rcode: OptRcode) -> Written<()> {
    let Some(of_query) = &query.opt else { return Ok(()) };
    to.opt(|opt| {
        opt.set_udp_payload_size(LONGEST);
        opt.set_rcode(rcode);
        opt.set_dnssec_ok(of_query.dnssec_ok());
        query.cookie.as_ref().map_or(Ok(()), |cookie| opt.push(cookie))
    })
}
