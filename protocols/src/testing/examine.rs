//! The checks themselves.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
};

use fastrand::Rng;

use super::{
    Changed, Conformance,
    failure::{Chain, Failure, Origin, message},
    hostile,
};
use crate::error::{DecodeError, EncodeError, ErrorKind};

impl<I, O> Conformance<'_, I, O> {
    pub(super) fn examine(&self, packets: Vec<O>) -> Result<(), Failure> {
        if packets.is_empty() {
            return Err(Failure::without_packets());
        }
        let mut samples = Vec::with_capacity(packets.len());
        for (number, packet) in packets.into_iter().enumerate() {
            let origin = Origin::Packet(number);
            let datagram = self.comes_back(origin, &packet)?.map_err(|error| {
                Failure::new(ROUND_TRIP, origin, format_args!("is refused: {}", Chain(&error)))
            })?;
            samples.push(Sample { packet, datagram });
        }

        for (number, sample) in samples.iter().enumerate() {
            self.ends(number, &sample.datagram)?;
        }
        let mut met = self.meets_whatever_comes(&samples)?;
        has_fixed_texts(&met)?;
        Rng::with_seed(self.seed).shuffle(&mut met);
        met.truncate(MET_AGAIN);
        self.has_no_state(&samples, &met)?;
        for bytes in hostile::repeated() {
            let _ = self.decode(Origin::Repeated, &bytes)?;
        }
        Ok(())
    }

    pub(super) fn examine_packet(&self, packet: &O) -> Result<(), Failure> {
        self.comes_back(Origin::Given, packet).map(drop)
    }

    pub(super) fn examine_datagram(&self, datagram: &[u8]) -> Result<(), Failure> {
        self.outcome(Origin::Given, datagram).map(drop)
    }

    /// Returns the datagram of a packet, after checking that it decodes as that packet, also after
    /// other bytes.
    fn comes_back(
        &self,
        origin: Origin,
        packet: &O,
    ) -> Result<Result<Vec<u8>, EncodeError>, Failure> {
        let mut buffer = BEFORE.to_vec();
        let appended = self.encode(origin, packet, &mut buffer)?;
        let Some(after) = buffer.strip_prefix(BEFORE) else {
            let what = "changes the bytes in the buffer, which now holds these";
            return Err(Failure::new(APPENDED, origin, what).with(&buffer));
        };
        let mut datagram = Vec::new();
        let encoded = self.encode(origin, packet, &mut datagram)?;

        match (appended, encoded) {
            (Ok(()), Ok(())) => {
                self.reads_as(ROUND_TRIP, origin, packet, &datagram)?;
                self.reads_as(APPENDED, origin, packet, after)?;
                Ok(Ok(datagram))
            }
            (Err(_), Err(error)) => Ok(Err(error)),
            _ => Err(Failure::new(APPENDED, origin, "is refused in one buffer, not in another")),
        }
    }

    fn reads_as(
        &self,
        rule: &str,
        origin: Origin,
        packet: &O,
        datagram: &[u8],
    ) -> Result<(), Failure> {
        let what = match self.decode(origin, datagram)? {
            Ok(read) if self.is_same(packet, &read) => return Ok(()),
            Ok(_) => "is read as another packet".to_owned(),
            Err(error) => format!("is not read: {}", Chain(&error)),
        };
        Err(Failure::new(rule, origin, what).with(datagram))
    }

    fn is_same(&self, sent: &O, read: &I) -> bool {
        if (self.same)(sent, read) {
            return true;
        }
        // A packet that is not equal to itself, such as a float that is NaN, is compared by its
        // bytes.
        let Some(read) = (self.back)(read).filter(|back| !(self.same)(back, read)) else {
            return false;
        };
        let (mut one, mut other) = (Vec::new(), Vec::new());
        (self.encode)(sent, &mut one).is_ok()
            && (self.encode)(read, &mut other).is_ok()
            && one == other
    }

    /// Checks that a packet ends exactly where its datagram ends.
    fn ends(&self, number: usize, datagram: &[u8]) -> Result<(), Failure> {
        let may_follow = |byte: u8| self.trailing[usize::from(byte)];
        let refused = |rule, origin, datagram: &[u8]| match self.outcome(origin, datagram)? {
            Outcome::Packet => Err(Failure::new(rule, origin, ACCEPTED).with(datagram)),
            Outcome::Refused(..) => Ok(()),
        };

        for byte in (0..=u8::MAX).filter(|byte| !may_follow(*byte)) {
            refused(TRAILING, Origin::Followed(number), &[datagram, &[byte]].concat())?;
        }
        // It may be a valid packet, such as a list of twice the length that ends where its datagram
        // ends.
        self.outcome(Origin::Twice(number), &datagram.repeat(2))?;
        for len in hostile::places(datagram.len()).chain(datagram.len().checked_sub(1)) {
            let origin = Origin::Cut { packet: number, len };
            match self.cuts {
                Changed::Refused => refused(CUT, origin, &datagram[..len])?,
                Changed::MayBeRead => self.outcome(origin, &datagram[..len]).map(drop)?,
            }
        }
        Ok(())
    }

    fn meets_whatever_comes(&self, samples: &[Sample<O>]) -> Result<Vec<Met>, Failure> {
        let mut met = Vec::new();
        let mut meet = |origin, datagram: Vec<u8>| -> Result<(), Failure> {
            let outcome = self.outcome(origin, &datagram)?;
            let is_sample = || samples.iter().any(|sample| sample.datagram == datagram);
            if self.altered == Changed::Refused && outcome == Outcome::Packet && !is_sample() {
                return Err(Failure::new(ALTERED, origin, ACCEPTED).with(&datagram));
            }
            met.push(Met { origin, datagram, outcome });
            Ok(())
        };
        for (number, sample) in samples.iter().enumerate() {
            for altered in hostile::altered(&sample.datagram) {
                meet(Origin::Altered(number), altered)?;
            }
        }
        let mut random = Rng::with_seed(self.seed);
        let datagrams: Vec<_> = samples.iter().map(|sample| &*sample.datagram).collect();
        for _ in 0..self.rounds {
            meet(Origin::Mixed, hostile::mixed(&mut random, &datagrams))?;
            meet(Origin::Random, hostile::random(&mut random))?;
        }
        Ok(met)
    }

    /// Checks in another order that each datagram has the same outcome as before, and that packets
    /// come back.
    fn has_no_state(&self, samples: &[Sample<O>], met: &[Met]) -> Result<(), Failure> {
        for (Met { origin, datagram, outcome }, sample) in met.iter().zip(samples.iter().cycle()) {
            let again = self.outcome(*origin, datagram)?;
            if again != *outcome {
                let what = format!("was {outcome:?}, and is {again:?} after other datagrams");
                return Err(Failure::new(STATE, *origin, what).with(datagram));
            }
            let next = self.decode(*origin, &sample.datagram)?;
            if !next.is_ok_and(|read| self.is_same(&sample.packet, &read)) {
                let what = "changes what is read from the datagram after it";
                return Err(Failure::new(STATE, *origin, what).with(datagram));
            }
        }
        for (number, sample) in samples.iter().enumerate() {
            let origin = Origin::Packet(number);
            if self.comes_back(origin, &sample.packet)?.is_err() {
                return Err(Failure::new(STATE, origin, "is refused after other datagrams"));
            }
        }
        Ok(())
    }

    /// Returns the outcome of a datagram. If it is a packet and can be encoded, checks that it
    /// comes back.
    fn outcome(&self, origin: Origin, datagram: &[u8]) -> Result<Outcome, Failure> {
        let packet = match self.decode(origin, datagram)? {
            Ok(packet) => packet,
            Err(error) => return Ok(Outcome::Refused(error.kind(), error.to_string())),
        };
        if let Some(packet) = (self.back)(&packet) {
            let mut written = Vec::new();
            if self.encode(origin, packet, &mut written)?.is_ok() {
                self.reads_as(SECOND, origin, packet, &written)?;
            }
        }
        Ok(Outcome::Packet)
    }

    fn decode(&self, origin: Origin, datagram: &[u8]) -> Result<Result<I, DecodeError>, Failure> {
        let mut outcome = None;
        let mut call = || {
            outcome = Some(catch_unwind(AssertUnwindSafe(|| (self.decode)(datagram))));
        };
        let (held, limit) = match &self.peak {
            Some(peak) => ((peak.measure)(&mut call), peak.bytes),
            None => {
                call();
                (0, 0)
            }
        };

        let outcome = outcome.expect("`measure` calls its argument").map_err(|payload| {
            let what = format!("makes `decode` panic: {}", message(&*payload));
            Failure::new(PANIC, origin, what).with(datagram)
        })?;
        if held > limit {
            let what = format!("takes {held} bytes of memory, limit is {limit}");
            return Err(Failure::new(ALLOCATION, origin, what).with(datagram));
        }
        match &outcome {
            Err(error) => self
                .is_told(origin, error.kind(), &error.to_string())
                .map_err(|failure| failure.with(datagram))?,
            Ok(_) if !self.shape.matches(datagram) => {
                let what = "is accepted as a packet, and does not have the shape of the protocol";
                return Err(Failure::new(SHAPE, origin, what).with(datagram));
            }
            Ok(_) => {}
        }
        Ok(outcome)
    }

    fn encode(
        &self,
        origin: Origin,
        packet: &O,
        buffer: &mut Vec<u8>,
    ) -> Result<Result<(), EncodeError>, Failure> {
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.encode)(packet, buffer)));
        let outcome = outcome.map_err(|payload| {
            let what = format!("makes `encode` panic: {}", message(&*payload));
            Failure::new(PANIC, origin, what)
        })?;
        if let Err(error) = &outcome {
            self.is_told(origin, error.kind(), &error.to_string())?;
        }
        Ok(outcome)
    }

    fn is_told(&self, origin: Origin, kind: ErrorKind, text: &str) -> Result<(), Failure> {
        if text.is_empty() {
            return Err(Failure::new(ERRORS, origin, "is refused with an empty text"));
        }
        match self.kind {
            Some(expected) if kind != expected => {
                let what = format!("is refused as {kind:?}, not as {expected:?}");
                Err(Failure::new(ERRORS, origin, what))
            }
            _ => Ok(()),
        }
    }
}

/// Nobody writes a hundred texts by hand, so a greater number means that they are made of the
/// datagrams.
fn has_fixed_texts(met: &[Met]) -> Result<(), Failure> {
    let mut texts = BTreeSet::new();
    for Met { origin, datagram, outcome } in met {
        let Outcome::Refused(_, text) = outcome else { continue };
        texts.insert(text);
        if texts.len() > 100 {
            let what = format!(
                "and others are refused with more than 100 different texts, such as {text:?}"
            );
            return Err(Failure::new(ERRORS, *origin, what).with(datagram));
        }
    }
    Ok(())
}

struct Sample<O> {
    packet: O,
    datagram: Vec<u8>,
}

/// A datagram that was tried, and its outcome.
struct Met {
    origin: Origin,
    datagram: Vec<u8>,
    outcome: Outcome,
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Packet,
    Refused(ErrorKind, String),
}

const ROUND_TRIP: &str = "round trip";
const APPENDED: &str = "bytes in the buffer stay";
const TRAILING: &str = "trailing bytes are refused";
const CUT: &str = "cut datagrams are refused";
const ALTERED: &str = "altered datagrams are refused";
const SECOND: &str = "second round trip";
const PANIC: &str = "no panic";
const STATE: &str = "no state";
const ERRORS: &str = "errors say what is wrong";
const SHAPE: &str = "a true shape";
const ALLOCATION: &str = "no allocation beyond the limit";

const ACCEPTED: &str = "is accepted as a packet";

const BEFORE: &[u8] = b"before\0\xff|";

const MET_AGAIN: usize = 2_000; // datagrams
