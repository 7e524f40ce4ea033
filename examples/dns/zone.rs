//! The records of a zone, and what they answer (RFC 1034, section 4.3.2).

use std::collections::HashMap;

use datagrammar::{BoxError, Bytes};
use domain::base::iana::{Class, OptRcode};
use domain::base::name::{FlattenInto, Name, RelativeName};
use domain::base::{CharStr, Question, Record, Rtype, Ttl};
use domain::rdata::{Hinfo, ZoneRecordData};
use domain::zonefile::inplace::{Entry, Zonefile};

type ZoneRecord = Record<Name<Bytes>, ZoneRecordData<Bytes, Name<Bytes>>>;

pub(crate) struct Zone {
    apex: Name<Bytes>,
    /// The SOA record of negative answers, whose TTL says how long they may be kept (RFC 2308, section 3).
    negative: ZoneRecord,
    /// What queries for all types get in place of them (RFC 8482, section 4.2).
    hinfo: ZoneRecord,
    /// The records of each name. Names that only have names below them have none.
    nodes: HashMap<Name<Bytes>, Vec<ZoneRecord>>,
}

/// What a zone has for a question.
pub(crate) struct Answer<'a> {
    pub(crate) rcode: OptRcode,
    pub(crate) is_authoritative: bool,
    pub(crate) is_truncated: bool,
    /// The answer section. The owner of a record from a wildcard is the name in question.
    pub(crate) records: Vec<(Name<Bytes>, &'a ZoneRecord)>,
    pub(crate) authority: Vec<&'a ZoneRecord>,
    pub(crate) additional: Vec<&'a ZoneRecord>,
}

impl Answer<'_> {
    pub(crate) fn empty(rcode: OptRcode) -> Self {
        let (records, authority, additional) = Default::default();
        let (is_authoritative, is_truncated) = (false, false);
        Self { rcode, is_authoritative, is_truncated, records, authority, additional }
    }

    /// The same without records, and with TC, which lets the client ask again by TCP.
    pub(crate) fn truncated(&self) -> Answer<'static> {
        let is_authoritative = self.is_authoritative;
        Answer { is_authoritative, is_truncated: true, ..Answer::empty(self.rcode) }
    }
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
        let (Some(soa), None) = (sources.next(), sources.next()) else {
            return Err("a zone has one SOA record".into());
        };
        let (apex, mut negative) = (soa.owner().clone(), soa.clone());
        if let ZoneRecordData::Soa(soa) = soa.data() {
            negative.set_ttl(negative.ttl().min(soa.minimum()));
        }
        let data = Hinfo::new(CharStr::from_octets("RFC8482".into())?, CharStr::empty());
        let hinfo = Record::new(apex.clone(), Class::IN, Ttl::HOUR, data.into());
        let mut nodes = HashMap::<_, Vec<_>>::new();
        for record in records {
            if !record.owner().ends_with(&apex) || record.class() != Class::IN {
                return Err(format!("{} is not in the zone", record.owner()).into());
            }
            for name in record.owner().iter_suffixes().take_while(|name| name.ends_with(&apex)) {
                nodes.entry(name).or_default();
            }
            nodes.entry(record.owner().clone()).or_default().push(record);
        }
        Ok(Self { apex, negative, hinfo, nodes })
    }

    /// Answers a question.
    pub(crate) fn answer(&self, question: &Question<Name<Bytes>>) -> Answer<'_> {
        let (mut name, qtype) = (question.qname().clone(), question.qtype());
        let mut answer = Answer::empty(OptRcode::NOERROR);
        if !name.ends_with(&self.apex) || question.qclass() != Class::IN {
            answer.rcode = OptRcode::REFUSED;
            return answer;
        }
        answer.is_authoritative = true;
        // An alias may lead to another zone, where the client goes on, or back to itself.
        while name.ends_with(&self.apex) && answer.records.iter().all(|(owner, _)| *owner != name) {
            if let Some(servers) = self.delegation(&name, qtype) {
                self.refer(servers, &mut answer);
                break;
            }
            let node = self.node(&name);
            let records = node.unwrap_or_default();
            let alias = records.iter().find_map(|record| match record.data() {
                ZoneRecordData::Cname(target) => Some((record, target.cname())),
                _ => None,
            });
            let mut of_type = records.iter().filter(|record| record.rtype() == qtype).peekable();
            if qtype == Rtype::ANY && !records.is_empty() {
                answer.records.push((name, &self.hinfo));
            } else if of_type.peek().is_some() {
                answer.records.extend(of_type.map(|record| (name.clone(), record)));
            } else if let Some((record, target)) = alias {
                answer.records.push((name, record));
                name = target.clone();
                continue;
            } else {
                let absent = node.map_or(OptRcode::NXDOMAIN, |_| OptRcode::NOERROR);
                answer.rcode = absent;
                answer.authority.push(&self.negative);
            }
            break;
        }
        answer
    }

    /// The records of a name, or of the wildcard that stands for it (RFC 4592, section 3.3.1). None if there is no such name.
    fn node(&self, name: &Name<Bytes>) -> Option<&[ZoneRecord]> {
        let encloser = name.iter_suffixes().find(|suffix| self.nodes.contains_key(suffix))?;
        if encloser == *name {
            return self.nodes.get(name).map(Vec::as_slice);
        }
        let wildcard = RelativeName::wildcard_bytes().chain(encloser).ok()?;
        self.nodes.get::<Name<Bytes>>(&wildcard.flatten_into()).map(Vec::as_slice)
    }

    /// The name servers of the zone that a name was delegated to. The records of a delegation itself belong to this zone only if
    /// they are DS.
    fn delegation(&self, name: &Name<Bytes>, qtype: Rtype) -> Option<Vec<&ZoneRecord>> {
        let below = name.iter_suffixes().take_while(|suffix| *suffix != self.apex);
        let cuts = below.filter(|suffix| qtype != Rtype::DS || suffix != name);
        let servers = |name| {
            let records = self.nodes.get(&name)?.iter();
            let servers: Vec<_> = records.filter(|it| it.rtype() == Rtype::NS).collect();
            (!servers.is_empty()).then_some(servers)
        };
        cuts.filter_map(servers).last()
    }

    /// Refers the client to these servers, with the addresses that it cannot find otherwise.
    fn refer<'a>(&'a self, servers: Vec<&'a ZoneRecord>, answer: &mut Answer<'a>) {
        // If an alias leads here, the answer begins with that.
        answer.is_authoritative = !answer.records.is_empty();
        for server in &servers {
            let ZoneRecordData::Ns(target) = server.data() else { continue };
            let records = self.nodes.get(target.nsdname()).into_iter().flatten();
            let is_addr = |it: &&ZoneRecord| matches!(it.rtype(), Rtype::A | Rtype::AAAA);
            answer.additional.extend(records.filter(is_addr));
        }
        answer.authority = servers;
    }
}
