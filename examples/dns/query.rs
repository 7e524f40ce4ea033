//! Queries, as the crate `domain` reads them.

use datagrammar::DecodeError;
use domain::base::iana::{Opcode, OptRcode};
use domain::base::opt::{Cookie, Opt, OptRecord};
use domain::base::{Header, Message, Name, Question, Rtype, ToName, wire::ParseError};
use domain::dep::octseq::Array;

/// The longest response to a client without EDNS, and to any client: what passes most networks in one piece.
const WITHOUT_EDNS: u16 = 512;
pub(crate) const LONGEST: u16 = 1_232;

/// A query with one question. It is copied from the datagram without an allocation, since it is read twice: for the cookie, and
/// for the answer.
pub(crate) struct Query {
    pub(crate) header: Header,
    pub(crate) question: Question<Name<Array<255>>>,
    pub(crate) edns: Option<Edns>,
    /// The cookies of the client and of the server (RFC 7873).
    pub(crate) cookie: Option<Cookie>,
}

/// What an OPT record says about the client (RFC 6891).
pub(crate) struct Edns {
    max_len: u16,
    version: u8,
    pub(crate) dnssec_ok: bool,
}

impl Query {
    pub(crate) fn read(datagram: &[u8]) -> Result<Self, DecodeError> {
        let message = Message::from_slice(datagram);
        let message = message.map_err(|_| DecodeError::codec("shorter than a header"))?;
        let (header, counts) = (message.header(), message.header_counts());
        if header.qr() || header.opcode() != Opcode::QUERY {
            return Err(DecodeError::codec("not a query"));
        }
        if [counts.qdcount(), counts.ancount(), counts.nscount()] != [1, 0, 0] {
            return Err(DecodeError::codec("not one question, or records"));
        }
        Self::parse(message)
            .map_err(|error| DecodeError::codec("malformed query").with_source(error))
    }

    fn parse(message: &Message<[u8]>) -> Result<Self, ParseError> {
        let question = message.sole_question()?;
        let name = question.qname().try_to_name().map_err(|_| ParseError::ShortInput)?;
        let mut opts = message.additional()?.limit_to::<Opt<_>>();
        let opt = opts.next().transpose()?;
        // There is at most one OPT record, and its name is the root (RFC 6891, section 6.1.1).
        if opts.next().is_some() || opt.as_ref().is_some_and(|opt| !opt.owner().is_root()) {
            return Err(ParseError::form_error("OPT record"));
        }
        let opt = opt.map(OptRecord::from);
        // Only the first one counts (RFC 7873, section 5.2).
        let cookie = opt.as_ref().and_then(|opt| opt.opt().iter().next()).transpose()?;
        let edns = opt.map(|opt| Edns {
            max_len: opt.udp_payload_size(),
            version: opt.version(),
            dnssec_ok: opt.dnssec_ok(),
        });
        let question = Question::new(name, question.qtype(), question.qclass());
        Ok(Self { header: message.header(), question, edns, cookie })
    }

    /// How long the response may be.
    pub(crate) fn max_len(&self) -> usize {
        let max_len = self.edns.as_ref().map_or(WITHOUT_EDNS, |edns| edns.max_len);
        max_len.clamp(WITHOUT_EDNS, LONGEST).into()
    }

    /// Why the zone is not asked, if it is not: the client speaks a later version of EDNS, or wants the whole zone.
    pub(crate) fn error(&self) -> Option<OptRcode> {
        let is_transfer = matches!(self.question.qtype(), Rtype::AXFR | Rtype::IXFR);
        match &self.edns {
            Some(edns) if edns.version > 0 => Some(OptRcode::BADVERS),
            _ => is_transfer.then_some(OptRcode::NOTIMP),
        }
    }
}
