//! Queries, as the crate `domain` reads them.

use datagrammar::DecodeError;
use domain::base::iana::{Opcode, OptRcode};
use domain::base::opt::{Cookie, Opt, OptRecord};
use domain::base::{Header, Message, Name, Question, Record, Rtype, ToName, wire::ParseError};
use domain::dep::octseq::Array;

/// The longest response to a client without EDNS, and to any client: what passes most networks in one piece.
const WITHOUT_EDNS: u16 = 512;
pub(crate) const LONGEST: u16 = 1_232;

/// What a query asks for. A name has 255 bytes at most.
pub(crate) type Asked = Question<Name<Array<255>>>;

/// A query with one question. To read it allocates nothing, since the server does so twice: for the cookie, and for the answer.
pub(crate) struct Query {
    pub(crate) header: Header,
    pub(crate) question: Asked,
    /// EDNS (RFC 6891), without options.
    pub(crate) opt: Option<OptRecord<[u8; 0]>>,
    /// The cookies of the client and of the server (RFC 7873).
    pub(crate) cookie: Option<Cookie>,
}

impl Query {
    pub(crate) fn read(datagram: &[u8]) -> Result<Self, DecodeError> {
        Self::parse(datagram).map_err(|error| DecodeError::codec("not a query").with_source(error))
    }

    fn parse(datagram: &[u8]) -> Result<Self, ParseError> {
        let message = Message::from_slice(datagram).map_err(|_| ParseError::ShortInput)?;
        let (header, counts) = (message.header(), message.header_counts());
        let has_records = counts.ancount() > 0 || counts.nscount() > 0;
        if header.qr() || header.opcode() != Opcode::QUERY || has_records {
            return Err(ParseError::form_error("a response, another operation, or records"));
        }
        let question = message.sole_question()?;
        let name = question.qname().try_to_name().map_err(|_| ParseError::ShortInput)?;
        let question = Question::new(name, question.qtype(), question.qclass());
        let mut opts = message.additional()?.limit_to::<Opt<_>>();
        let opt = opts.next().transpose()?;
        // There is at most one OPT record, and its name is the root (RFC 6891, section 6.1.1).
        if opts.next().is_some() || opt.as_ref().is_some_and(|opt| !opt.owner().is_root()) {
            return Err(ParseError::form_error("OPT record"));
        }
        // Only the first one counts (RFC 7873, section 5.2).
        let cookie = opt.as_ref().and_then(|opt| opt.data().iter().next()).transpose()?;
        let none = Opt::from_octets([])?;
        let opt = opt.map(|it| Record::new(Name::root_slice(), it.class(), it.ttl(), none).into());
        Ok(Self { header, question, opt, cookie })
    }

    /// How long the response may be.
    pub(crate) fn max_len(&self) -> usize {
        let max_len = self.opt.as_ref().map_or(WITHOUT_EDNS, OptRecord::udp_payload_size);
        max_len.clamp(WITHOUT_EDNS, LONGEST).into()
    }

    /// Why the zone is not asked, if so: the client speaks a later version of EDNS, or wants the whole zone.
    pub(crate) fn error(&self) -> Option<OptRcode> {
        if self.opt.as_ref().is_some_and(|opt| opt.version() > 0) {
            return Some(OptRcode::BADVERS);
        }
        matches!(self.question.qtype(), Rtype::AXFR | Rtype::IXFR).then_some(OptRcode::NOTIMP)
    }
}
