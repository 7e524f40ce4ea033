//! Queries, as the crate `domain` reads them.

use datagrammar::{Bytes, DecodeError};
use domain::base::iana::{Opcode, OptRcode};
use domain::base::opt::{Cookie, Opt, OptRecord};
use domain::base::{Message, Name, Question, Rtype, ToName, wire::ParseError};

/// The longest response to a client without EDNS, and to any client: what passes most networks in one piece.
const WITHOUT_EDNS: u16 = 512;
pub(crate) const LONGEST: u16 = 1_232;

/// A query with one question.
#[derive(Clone)]
pub(crate) struct Query {
    /// The whole message, or only its header.
    pub(crate) message: Message<Bytes>,
    pub(crate) question: Question<Name<Bytes>>,
    /// EDNS (RFC 6891), with the cookies of the client and of the server (RFC 7873).
    pub(crate) opt: Option<OptRecord<Bytes>>,
    pub(crate) cookie: Option<Cookie>,
}

impl Query {
    pub(crate) fn read(datagram: &[u8]) -> Result<Self, DecodeError> {
        let message = Message::from_octets(Bytes::copy_from_slice(datagram));
        let message = message.map_err(|_| DecodeError::codec("shorter than a header"))?;
        let (header, counts) = (message.header(), message.header_counts());
        if header.qr() || header.opcode() != Opcode::QUERY {
            return Err(DecodeError::codec("not a query"));
        }
        if [counts.qdcount(), counts.ancount(), counts.nscount()] != [1, 0, 0] {
            return Err(DecodeError::codec("not one question, or records"));
        }
        let malformed = |error| DecodeError::codec("malformed query").with_source(error);
        Self::parse(message).map_err(malformed)
    }

    fn parse(message: Message<Bytes>) -> Result<Self, ParseError> {
        let question = message.sole_question()?;
        let (name, qtype, qclass) =
            (question.qname().to_bytes(), question.qtype(), question.qclass());
        let mut opts = message.additional()?.limit_to::<Opt<_>>();
        let opt = opts.next().transpose()?;
        // There is at most one OPT record, and its name is the root (RFC 6891, section 6.1.1).
        if opts.next().is_some() || opt.as_ref().is_some_and(|opt| !opt.owner().is_root()) {
            return Err(ParseError::form_error("OPT record"));
        }
        let opt = opt.map(OptRecord::from);
        // Only the first one counts (RFC 7873, section 5.2).
        let cookie = opt.as_ref().and_then(|opt| opt.opt().iter().next()).transpose()?;
        Ok(Self { message, question: Question::new(name, qtype, qclass), opt, cookie })
    }

    /// This query as if it had no question, so that the response has none.
    pub(crate) fn without_question(&self) -> Option<Self> {
        Some(Self { message: header_only(self.message.as_slice())?, ..self.clone() })
    }

    /// How long the response may be.
    pub(crate) fn max_len(&self) -> usize {
        let size = self.opt.as_ref().map_or(WITHOUT_EDNS, OptRecord::udp_payload_size);
        size.clamp(WITHOUT_EDNS, LONGEST).into()
    }

    /// Why the zone is not asked, if it is not: the client speaks a later version of EDNS, or wants the whole zone.
    pub(crate) fn error(&self) -> Option<OptRcode> {
        let is_transfer = matches!(self.question.qtype(), Rtype::AXFR | Rtype::IXFR);
        match &self.opt {
            Some(opt) if opt.version() > 0 => Some(OptRcode::BADVERS),
            _ => is_transfer.then_some(OptRcode::NOTIMP),
        }
    }
}

/// The header of a message, as a message without questions and records.
pub(crate) fn header_only(message: &[u8]) -> Option<Message<Bytes>> {
    let header = message.first_chunk::<12>()?;
    Message::from_octets([&header[..4], &[0; 8]].concat().into()).ok()
}
