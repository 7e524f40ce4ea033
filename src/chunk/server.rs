//! The chunks of a server, which its workers, conversations and senders share.

use std::{
    mem,
    sync::{Arc, Mutex},
};

use tokio::time::Instant;

use super::{
    Chunked, FLIGHT,
    format::{Chunk, PacketId, missing},
    split::Splitter,
    table::{Source, Stored, Table},
};
use crate::{
    lock::locked,
    stats::{Counters, add},
    token::Envelope,
};

/// The requests that arrive in chunks, and how replies are sent.
#[derive(Debug)]
pub(crate) struct Chunks {
    options: Chunked,
    table: Mutex<Table>,
    /// How many bytes of an envelope are in front of each datagram that is sent.
    envelope: usize,
    counters: Arc<Counters>,
}

/// What a chunk leads to.
#[derive(Debug)]
pub(crate) enum Arrived {
    /// It waits for the others. If its sender wants to know which are missing, this datagram tells it.
    Waits(Option<Vec<u8>>),
    /// The request has this chunk already. The same.
    Repeated(Option<Vec<u8>>),
    /// It contradicts the others, the request would be too long, or there is no room for it.
    Refused,
    /// The request is complete: this is its datagram.
    Complete(Vec<u8>),
}

impl Chunks {
    pub(crate) fn new(options: Chunked, has_envelope: bool, counters: Arc<Counters>) -> Arc<Self> {
        let table = Mutex::new(Table::new(options.clone()));
        let envelope = if has_envelope { Envelope::REPLY_HEADER } else { 0 };
        Arc::new(Self { options, table, envelope, counters })
    }

    /// Keeps a chunk from `source`, whose datagram has `len` bytes. If its packet is not incomplete, `known` says whether
    /// it was complete before: then that is returned.
    pub(crate) fn arrive<Known>(
        &self,
        source: &Source,
        chunk: &Chunk<'_>,
        len: usize,
        known: impl FnOnce() -> Option<Known>,
    ) -> Result<Arrived, Known> {
        self.change(|table| {
            let now = Instant::now();
            table.expire(now);
            if !table.contains(source, chunk.packet)
                && let Some(known) = known()
            {
                return Err(known);
            }
            let stored = table.add(source, chunk, now);
            let answer = || {
                let assembly = table.assembly(source, chunk.packet).filter(|_| chunk.asks)?;
                // Not longer than the chunk: otherwise somebody who forges addresses could multiply traffic.
                let list = missing(chunk.packet, assembly.missing(), len);
                Some(if self.envelope > 0 { Envelope::reply(&list) } else { list })
            };
            Ok(match stored {
                Stored::Waits => Arrived::Waits(answer()),
                Stored::Repeated => Arrived::Repeated(answer()),
                Stored::Refused => Arrived::Refused,
                Stored::Complete(datagram) => Arrived::Complete(datagram),
            })
        })
    }

    /// When the next request is given up, if no new chunk of it arrives.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        locked(&self.table).next_expiry()
    }

    /// Gives up the requests of which no new chunk has arrived for too long.
    pub(crate) fn expire(&self) {
        self.change(|table| table.expire(Instant::now()));
    }

    /// Changes the table, and counts the requests that it gives up.
    fn change<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        let mut table = locked(&self.table);
        let result = change(&mut table);
        let given_up = mem::take(&mut table.given_up);
        drop(table);
        add(&self.counters.incomplete, given_up);
        result
    }

    /// How many bytes of a datagram are in front of its packet.
    pub(crate) const fn header(&self) -> usize {
        self.envelope + 1
    }

    /// The length of the longest datagram of a packet.
    pub(crate) const fn max_len(&self) -> usize {
        self.options.get_limit().saturating_add(self.header())
    }

    /// The length of the longest datagram that is not sent in chunks.
    pub(crate) const fn longest_datagram(&self) -> usize {
        self.options.get_chunk_size()
    }

    /// Whether a datagram is sent in chunks.
    pub(crate) const fn splits(&self, datagram: &[u8]) -> bool {
        datagram.len() > self.longest_datagram()
    }

    /// The first chunks of a packet. Its peer asks for the others.
    pub(crate) fn first(&self, packet: PacketId, datagram: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        self.splitter(packet, datagram).chunks([0..=u16::MAX].into_iter(), FLIGHT)
    }

    pub(crate) const fn splitter<'a>(&self, packet: PacketId, datagram: &'a [u8]) -> Splitter<'a> {
        Splitter::in_envelope(packet, datagram, self.options.get_chunk_size(), self.envelope)
    }
}
