//! The records of a zone, and what they answer (RFC 1034, section 4.3.2).

use std::{collections::HashMap, iter};

use datagrammar::{BoxError, Bytes};
use domain::base::iana::{Class, Rcode};
use domain::base::message_builder::{AdditionalBuilder, AnswerBuilder};
use domain::base::name::{FlattenInto, Name};
use domain::base::{CharStr, Record, Rtype, Ttl};
use domain::rdata::{Hinfo, ZoneRecordData};
use domain::zonefile::inplace::{Entry, Zonefile};

use super::{query::Asked, response::Target, response::Written};

type ZoneRecord = Record<Name<Bytes>, ZoneRecordData<Bytes, Name<Bytes>>>;
type Node = Vec<ZoneRecord>;
type Answers = AnswerBuilder<Target>;
type Additional = AdditionalBuilder<Target>;

pub(crate) struct Zone {
    /// The name of the zone, in lower case.
    apex: Vec<u8>,
    /// The SOA record of negative answers, whose TTL says how long they may be kept (RFC 2308, section 3).
    negative: ZoneRecord,
    /// What queries for all types get in place of them (RFC 8482, section 4.2).
    hinfo: ZoneRecord,
    /// The records of each name, which is in lower case. Names that only have names below them have none.
    nodes: HashMap<Vec<u8>, Node>,
}

impl Zone {
    /// Reads a zone file (RFC 1035, section 5). It must name the zone with `$ORIGIN`, or write each name in full.
    pub(crate) fn read(file: &[u8]) -> Result<Self, BoxError> {
        let mut entries = Zonefile::from(file);
        entries.set_default_class(Class::IN);
        let mut records: Vec<ZoneRecord> = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            let Entry::Record(record) = entry else { return Err("$INCLUDE is not served".into()) };
            records.push(record.flatten_into());
        }
        let mut sources = records.iter().filter(|record| record.rtype() == Rtype::SOA);
        let (Some(negative), None) = (sources.next(), sources.next()) else {
            return Err("a zone has one SOA record".into());
        };
        let mut negative = negative.clone();
        if let ZoneRecordData::Soa(soa) = negative.data() {
            negative.set_ttl(negative.ttl().min(soa.minimum()));
        }
        let data = Hinfo::new(CharStr::from_octets("RFC8482".into())?, CharStr::empty());
        let hinfo = Record::new(negative.owner().clone(), Class::IN, Ttl::HOUR, data.into());
        let (apex, mut nodes) = (lowercase(negative.owner()), HashMap::<_, Node>::new());
        for record in records {
            let name = lowercase(record.owner());
            if !suffixes(&name).any(|it| it == apex) || record.class() != Class::IN {
                return Err(format!("{} is not in the zone", record.owner()).into());
            }
            for it in suffixes(&name).filter(|it| it.len() >= apex.len()) {
                nodes.entry(it.to_vec()).or_default();
            }
            nodes.entry(name).or_default().push(record);
        }
        Ok(Self { apex, negative, hinfo, nodes })
    }

    /// Writes what answers a question.
    pub(crate) fn answer(&self, question: &Asked, mut answer: Answers) -> Written<Additional> {
        let (mut name, qtype) = (question.qname().for_slice(), question.qtype());
        answer.header_mut().set_rcode(Rcode::REFUSED);
        let mut aliases = Vec::new();
        // An alias may lead to another zone, where the client goes on, or back to itself.
        while question.qclass() == Class::IN
            && let Some((servers, node)) = self.find(name, qtype)
            && !aliases.contains(&name)
        {
            let records = servers.or(node).map_or(&[][..], Vec::as_slice);
            let of_type = |wanted| records.iter().filter(move |it| it.rtype() == wanted);
            answer.header_mut().set_rcode(Rcode::NOERROR);
            // If an alias leads to another zone, the answer begins with that.
            answer.header_mut().set_aa(servers.is_none() || !aliases.is_empty());
            // The owner of a record from a wildcard is the name in question.
            let mut push = |it: &ZoneRecord| answer.push((name, it.class(), it.ttl(), it.data()));
            if servers.is_some() {
                // Its servers, with the addresses that the client cannot find otherwise.
                let mut message = answer.authority();
                of_type(Rtype::NS).try_for_each(|server| message.push(server))?;
                let mut message = message.additional();
                for server in of_type(Rtype::NS) {
                    let ZoneRecordData::Ns(target) = server.data() else { continue };
                    let records =
                        self.nodes.get(&lowercase(target.nsdname())).into_iter().flatten();
                    let mut addrs =
                        records.filter(|it| [Rtype::A, Rtype::AAAA].contains(&it.rtype()));
                    addrs.try_for_each(|addr| message.push(addr))?;
                }
                return Ok(message);
            } else if qtype == Rtype::ANY && !records.is_empty() {
                push(&self.hinfo)?;
            } else if of_type(qtype).next().is_some() {
                of_type(qtype).try_for_each(push)?;
            } else if let Some(record) = of_type(Rtype::CNAME).next()
                && let ZoneRecordData::Cname(target) = record.data()
            {
                push(record)?;
                aliases.push(name);
                name = target.cname().for_slice();
                continue;
            } else {
                let absent = node.map_or(Rcode::NXDOMAIN, |_| Rcode::NOERROR);
                answer.header_mut().set_rcode(absent);
                let mut authority = answer.authority();
                authority.push(&self.negative)?;
                return Ok(authority.additional());
            }
            break;
        }
        Ok(answer.additional())
    }

    /// The servers of the zone that a name was delegated to, and the records of the name, or of the wildcard that stands for it
    /// (RFC 4592, section 3.3.1). None if it is not in this zone. Only DS records of a delegation itself belong to this zone.
    fn find(&self, name: &Name<[u8]>, qtype: Rtype) -> Option<(Option<&Node>, Option<&Node>)> {
        let name = lowercase(name);
        let (mut servers, mut node) = (None, None);
        for suffix in suffixes(&name) {
            let Some(found) = self.nodes.get(suffix) else { continue };
            let wildcard = || self.nodes.get(&[b"\x01*", suffix].concat());
            let is_name = suffix == name;
            let node = *node.get_or_insert_with(|| if is_name { Some(found) } else { wildcard() });
            if suffix == self.apex {
                return Some((servers, node));
            }
            let is_cut = found.iter().any(|record| record.rtype() == Rtype::NS);
            servers =
                Some(found).filter(|_| is_cut && !(is_name && qtype == Rtype::DS)).or(servers);
        }
        None
    }
}

/// A name in lower case. The lengths of its labels are no letters: they are at most 63.
fn lowercase<N: AsRef<[u8]> + ?Sized>(name: &Name<N>) -> Vec<u8> {
    name.as_slice().to_ascii_lowercase()
}

/// A name and the names above it, up to the root.
fn suffixes(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    iter::successors(Some(name), |name| {
        let (len, rest) = name.split_first()?;
        rest.get(usize::from(*len)..)
    })
}
