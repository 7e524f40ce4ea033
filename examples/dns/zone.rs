//! The records of a zone, and what they answer (RFC 1034, section 4.3.2).

use std::{collections::HashMap, iter};

use datagrammar::{BoxError, Bytes};
use domain::base::iana::{Class, OptRcode};
use domain::base::name::{FlattenInto, Name};
use domain::base::{CharStr, Question, Record, Rtype, Ttl};
use domain::rdata::{Hinfo, ZoneRecordData};
use domain::zonefile::inplace::{Entry, Zonefile};

type ZoneRecord = Record<Name<Bytes>, ZoneRecordData<Bytes, Name<Bytes>>>;

pub(crate) struct Zone {
    /// The name of the zone, in lower case.
    apex: Vec<u8>,
    /// The SOA record of negative answers, whose TTL says how long they may be kept (RFC 2308, section 3).
    negative: ZoneRecord,
    /// What queries for all types get in place of them (RFC 8482, section 4.2).
    hinfo: ZoneRecord,
    /// The records of each name, which is in lower case. Names that only have names below them have none.
    nodes: HashMap<Vec<u8>, Vec<ZoneRecord>>,
}

/// What a zone has for a question.
#[derive(Clone)]
pub(crate) struct Answer<'a> {
    pub(crate) rcode: OptRcode,
    pub(crate) has_question: bool,
    pub(crate) is_authoritative: bool,
    pub(crate) is_truncated: bool,
    /// The answer section. The owner of a record from a wildcard is the name in question.
    pub(crate) records: Vec<(&'a Name<[u8]>, &'a ZoneRecord)>,
    pub(crate) authority: Vec<&'a ZoneRecord>,
    pub(crate) additional: Vec<&'a ZoneRecord>,
}

impl<'a> Answer<'a> {
    pub(crate) fn empty(rcode: OptRcode) -> Self {
        let (has_question, is_authoritative, is_truncated) = (true, false, false);
        let (records, authority, additional) = Default::default();
        Self { rcode, has_question, is_authoritative, is_truncated, records, authority, additional }
    }

    /// The same without records, and with TC, which lets the client ask again by TCP.
    pub(crate) fn truncated(&self) -> Self {
        let is_authoritative = self.is_authoritative;
        Self { is_authoritative, is_truncated: true, ..Self::empty(self.rcode) }
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
        let mut negative = soa.clone();
        if let ZoneRecordData::Soa(soa) = soa.data() {
            negative.set_ttl(negative.ttl().min(soa.minimum()));
        }
        let data = Hinfo::new(CharStr::from_octets("RFC8482".into())?, CharStr::empty());
        let hinfo = Record::new(soa.owner().clone(), Class::IN, Ttl::HOUR, data.into());
        let (apex, nodes) = (lowercase(soa.owner()), HashMap::new());
        let mut zone = Self { apex, negative, hinfo, nodes };
        for record in records {
            let name = lowercase(record.owner());
            if !zone.has(&name) || record.class() != Class::IN {
                return Err(format!("{} is not in the zone", record.owner()).into());
            }
            for above in suffixes(&name).filter(|it| it.len() >= zone.apex.len()) {
                zone.nodes.entry(above.to_vec()).or_default();
            }
            zone.nodes.entry(name).or_default().push(record);
        }
        Ok(zone)
    }

    /// Whether a name is that of the zone, or below it.
    fn has(&self, name: &[u8]) -> bool {
        suffixes(name).any(|suffix| suffix == self.apex)
    }

    /// Answers a question.
    pub(crate) fn answer<'a, N: AsRef<[u8]>>(
        &'a self,
        question: &'a Question<Name<N>>,
    ) -> Answer<'a> {
        let (mut name, qtype) = (question.qname().for_slice(), question.qtype());
        let mut key = lowercase(name);
        let mut answer = Answer::empty(OptRcode::NOERROR);
        if !self.has(&key) || question.qclass() != Class::IN {
            answer.rcode = OptRcode::REFUSED;
            return answer;
        }
        answer.is_authoritative = true;
        // An alias may lead to another zone, where the client goes on, or back to itself.
        while self.has(&key) && answer.records.iter().all(|(owner, _)| *owner != name) {
            if let Some(servers) = self.delegation(&key, qtype) {
                self.refer(servers, &mut answer);
                break;
            }
            let node = self.node(&key);
            let records = node.unwrap_or_default();
            let alias = records.iter().find_map(|record| match record.data() {
                ZoneRecordData::Cname(target) => Some((record, target.cname())),
                _ => None,
            });
            let mut of_type = records.iter().filter(|record| record.rtype() == qtype).peekable();
            if qtype == Rtype::ANY && !records.is_empty() {
                answer.records.push((name, &self.hinfo));
            } else if of_type.peek().is_some() {
                answer.records.extend(of_type.map(|record| (name, record)));
            } else if let Some((record, target)) = alias {
                answer.records.push((name, record));
                name = target.for_slice();
                key = lowercase(name);
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
    fn node(&self, name: &[u8]) -> Option<&[ZoneRecord]> {
        let (encloser, node) = suffixes(name).find_map(|it| Some((it, self.nodes.get(it)?)))?;
        let wildcard = || self.nodes.get(&[b"\x01*", encloser].concat());
        let node = if encloser == name { Some(node) } else { wildcard() };
        node.map(Vec::as_slice)
    }

    /// The name servers of the zone that a name was delegated to. The records of a delegation itself belong to this zone only if
    /// they are DS.
    fn delegation(&self, name: &[u8], qtype: Rtype) -> Option<Vec<&ZoneRecord>> {
        let below = suffixes(name).take_while(|suffix| *suffix != self.apex);
        let cuts = below.filter(|suffix| qtype != Rtype::DS || *suffix != name);
        let servers = |name| {
            let records = self.nodes.get(name)?.iter();
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
            let records = self.nodes.get(&lowercase(target.nsdname())).into_iter().flatten();
            let is_addr = |it: &&ZoneRecord| matches!(it.rtype(), Rtype::A | Rtype::AAAA);
            answer.additional.extend(records.filter(is_addr));
        }
        answer.authority = servers;
    }
}

/// A name in lower case. The lengths of its labels are no letters: they are at most 63.
fn lowercase<N: AsRef<[u8]> + ?Sized>(name: &Name<N>) -> Vec<u8> {
    name.as_slice().to_ascii_lowercase()
}

/// A name and the names above it, up to the root.
fn suffixes(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    iter::successors(Some(name), |&name| match name.get(1 + usize::from(name[0])..)? {
        [] => None,
        parent => Some(parent),
    })
}
