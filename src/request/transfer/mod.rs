//! The chunks of one request and of its response. It has no socket and no clock, so its tests need none.

mod download;
mod flight;
mod upload;

use std::time::Duration;

use tokio::time::Instant;

use self::{
    download::Download,
    upload::{Told, Upload},
};
use crate::{
    Chunked,
    chunk::{Chunk, Missing, PacketId, Verdict},
};

/// What is known of the chunks of a request that is longer than one datagram, and of those of its response.
#[derive(Debug, Default)]
pub(super) struct Transfer {
    request: Option<Upload>,
    /// A server that has forgotten its response sends another one.
    responses: Vec<Download>,
    /// When something new has arrived last, and how often.
    progress: Option<Progress>,
    /// The last round-trip time that nobody has used yet.
    round_trip: Option<Duration>,
}

/// When something new has arrived last, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) steps: u64,
    pub(super) at: Instant,
}

/// How many responses to one request may be incomplete at the same time.
const RESPONSES: usize = 2;

/// A chunk of a response has arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// Others are missing. If these are to be asked for, this datagram does it.
    Incomplete(Option<Vec<u8>>),
    /// The response is complete. Its first chunk has arrived at this time.
    Complete(Vec<u8>, Instant),
    /// The chunk has arrived already.
    Repeated,
    /// It contradicts the others, or the response would be too long.
    Refused,
}

impl Progress {
    fn after(last: Option<Self>, at: Instant) -> Self {
        Self { steps: last.map_or(0, |last| last.steps) + 1, at }
    }
}

impl Transfer {
    /// The chunks of a request, if it is longer than one datagram.
    pub(super) fn new(options: &Chunked, packet: PacketId, datagram: &[u8]) -> Self {
        let longest = options.longest_in_envelope();
        let upload = || Upload::new(packet, datagram, longest);
        Self { request: (datagram.len() > longest).then(upload), ..Self::default() }
    }

    /// Whether the request is sent in chunks.
    pub(super) const fn is_in_chunks(&self) -> bool {
        self.request.is_some()
    }

    pub(super) const fn progress(&self) -> Option<Progress> {
        self.progress
    }

    /// Whether a response arrives in chunks.
    pub(super) const fn is_answering(&self) -> bool {
        !self.responses.is_empty()
    }

    /// Takes the last round-trip time of a flight, if there is a new one.
    pub(super) const fn take_round_trip(&mut self) -> Option<Duration> {
        self.round_trip.take()
    }

    /// What the first attempt sends of a request in chunks.
    pub(super) fn begin(&mut self, datagram: &[u8], now: Instant) -> Vec<Vec<u8>> {
        let flight = self.request.as_mut().map(|upload| upload.next_flight(datagram, now));
        flight.unwrap_or_default()
    }

    /// What is sent when a timer has expired, and something has arrived since the last one. It sends or asks for what is
    /// missing.
    pub(super) fn resume(&mut self, datagram: &[u8]) -> Vec<Vec<u8>> {
        let asking: Vec<_> = self.responses.iter_mut().map(Download::resume).collect();
        match &mut self.request {
            Some(upload) if asking.is_empty() => upload.probe(datagram).into_iter().collect(),
            _ => asking,
        }
    }

    /// What another attempt sends besides a short request: it asks for what is missing of the response, and repeats a
    /// chunk of a long request.
    pub(super) fn repeat(&mut self, datagram: &[u8]) -> Vec<Vec<u8>> {
        let asking = self.responses.iter_mut().map(Download::resume);
        asking.chain(self.request.as_mut().and_then(|upload| upload.probe(datagram))).collect()
    }

    /// What is sent again because the server wants another token: what asks for chunks of the response, or the chunks of the
    /// request that are on their way. Nothing that is on its way shows the round-trip time any more.
    pub(super) fn again(&mut self, datagram: &[u8]) -> Vec<Vec<u8>> {
        let asking: Vec<_> = self.responses.iter_mut().filter_map(Download::again).collect();
        match &mut self.request {
            Some(upload) if asking.is_empty() => upload.again(datagram),
            _ => asking,
        }
    }

    /// The server tells which chunks of the request it has not received. Returns those that are sent now.
    pub(super) fn told(
        &mut self,
        missing: &Missing<'_>,
        datagram: &[u8],
        now: Instant,
    ) -> Vec<Vec<u8>> {
        let Some(upload) = &mut self.request else { return Vec::new() };
        let Some(Told { round_trip }) = upload.told(missing, now) else { return Vec::new() };
        self.round_trip = round_trip.or(self.round_trip);
        self.progress = Some(Progress::after(self.progress, now));
        upload.next_flight(datagram, now)
    }

    /// A chunk of a response that may have `limit` bytes has arrived.
    pub(super) fn receive(&mut self, chunk: &Chunk<'_>, limit: usize, now: Instant) -> Received {
        let known = self.responses.iter().position(|one| one.packet == chunk.packet);
        let at = match known {
            Some(at) => at,
            None => {
                let download = Download::new(chunk, now);
                if download.assembly.judge(chunk, limit) != Verdict::New {
                    return Received::Refused;
                }
                if self.responses.len() >= RESPONSES {
                    self.responses.remove(0);
                }
                self.responses.push(download);
                self.responses.len() - 1
            }
        };
        let download = &mut self.responses[at];
        match download.assembly.add(chunk, limit) {
            Verdict::New => {}
            Verdict::Repeated => return Received::Repeated,
            Verdict::Refused => return Received::Refused,
        }
        self.progress = Some(Progress::after(self.progress, now));
        if let Some(timing) = download.timing.take_if(|timing| chunk.index >= timing.index) {
            self.round_trip = Some(now - timing.at);
        }
        if download.assembly.is_complete() {
            let Download { assembly, since, .. } = self.responses.remove(at);
            return Received::Complete(assembly.into_datagram(), since);
        }
        Received::Incomplete(download.arrived(chunk.index, now))
    }
}

#[cfg(test)]
mod tests;
