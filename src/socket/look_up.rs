//! Looks up a datagram that has arrived in the reply cache, and collects the chunks of requests.

use super::SocketState;
use crate::{
    Addr,
    chunk::{Arrived, Chunks, MAX_FLIGHT, PacketId, Part, Source, is_part},
    guard::Rules,
    reply_cache::{Arrival, Replies, Reply},
    stats::{DropReason, add},
    transport::{Passed, RecvBatch, Route, SendBatch},
};

/// What a datagram is.
#[derive(Debug)]
pub(crate) enum Looked {
    /// A request for a handler. If the reply cache knows it, its ticket is among what came with it.
    Request,
    /// It repeats a request that has no reply yet. It is dropped.
    InProgress,
    /// It is dropped.
    Dropped(DropReason),
    /// A part of a request or of a reply. It was dealt with.
    Part,
}

/// A datagram of a batch.
pub(crate) struct Lookup<'a> {
    pub(crate) socket: &'a SocketState,
    pub(crate) received: &'a mut RecvBatch,
    pub(crate) at: usize,
    /// What came with it besides its bytes.
    pub(crate) passed: &'a mut Option<Box<Passed>>,
    /// The rules for answers to its sender, unless that is validated.
    pub(crate) rules: Option<&'a Rules>,
    /// The batch of the worker, for replies that are sent again.
    pub(crate) replies: &'a mut SendBatch,
}

impl Lookup<'_> {
    /// Looks up the datagram. If it repeats a request that has a reply, that is sent again. If it completes a request,
    /// the request takes its place in the batch.
    #[cold]
    pub(crate) fn run(mut self) -> Looked {
        let Some(cache) = &self.socket.replies else { return Looked::Request };
        let in_chunks = match &self.socket.chunks {
            Some(chunks) if is_part(self.datagram()) => match self.take_part(cache, chunks) {
                Ok(packet) => Some(packet),
                Err(looked) => return looked,
            },
            _ => None,
        };
        match cache.arrive(self.from(), self.datagram(), in_chunks) {
            Ok(Arrival::Unnumbered) => Looked::Request,
            Ok(Arrival::New(ticket)) => {
                self.passed.get_or_insert_default().ticket = Some(ticket);
                Looked::Request
            }
            Ok(Arrival::Duplicate) => Looked::InProgress,
            Ok(Arrival::Answered(reply)) => self.replay(&reply),
            Err(panicked) => {
                let what = "the id of a datagram could not be read";
                self.socket.events.error(self.from(), &panicked, what);
                Looked::Request
            }
        }
    }

    fn datagram(&self) -> &[u8] {
        self.received.datagram(self.at)
    }

    fn from(&self) -> &Addr {
        self.received.from(self.at)
    }

    /// The way back to the sender.
    fn route(&self) -> Route {
        Route { peer: self.from().clone(), local: self.received.ancillary(self.at).local }
    }

    /// Sends a reply again.
    fn replay(&mut self, reply: &Reply) -> Looked {
        let (socket, to, len) = (self.socket, self.route(), self.datagram().len());
        let Self { replies, rules, .. } = self;
        socket.replay(&to.peer, reply, len, *rules, |datagram| {
            socket.outbox.send_again(replies, &to, datagram)
        });
        Looked::Dropped(DropReason::Duplicate)
    }

    /// Takes a part of a packet. Returns the name of the request that it completes.
    fn take_part(&mut self, cache: &Replies, chunks: &Chunks) -> Result<PacketId, Looked> {
        let refused = || Looked::Dropped(DropReason::Chunk);
        let Self { socket, received, at, replies, rules, .. } = self;
        let (from, datagram) = (received.from(*at).clone(), received.datagram(*at));
        if from.is_unnamed() {
            return Err(refused());
        }
        let to = Route { peer: from.clone(), local: received.ancillary(*at).local };
        let (outcome, answer) = match Part::read(datagram).ok_or_else(refused)? {
            Part::Missing(missing) => {
                let reply = cache.reply(&from, missing.packet);
                let reply = reply.filter(|(reply, _)| chunks.splits(reply));
                let (reply, validated) = reply.ok_or_else(refused)?;
                let rules = rules.filter(|_| !validated);
                let splitter = chunks.splitter(missing.packet, &reply);
                let mut sent = 0;
                for chunk in splitter.chunks(missing.ranges(), MAX_FLIGHT) {
                    sent += chunk.len();
                    if let Some(rules) = rules
                        && let Err(error) = rules.pay(datagram.len(), sent, from.ip())
                    {
                        socket.not_sent(&from, &error);
                        break;
                    }
                    socket.outbox.send_again(replies, &to, &chunk);
                }
                (Looked::Part, None)
            }
            Part::Chunk(chunk) => {
                let (packet, len) = (chunk.packet, datagram.len());
                let source = Source { bound: cache.bound(), peer: from };
                let (asks, known) = (chunk.asks, || cache.repeated(&source.peer, packet));
                match chunks.arrive(&source, &chunk, len, known) {
                    Ok(Arrived::Complete(datagram)) => {
                        return self.complete(cache, packet, datagram);
                    }
                    Ok(Arrived::Waits(answer)) => (Looked::Part, answer),
                    Ok(Arrived::Repeated(answer)) => {
                        (Looked::Dropped(DropReason::Duplicate), answer)
                    }
                    Ok(Arrived::Refused) => (refused(), None),
                    Err(Arrival::Answered(reply)) if asks => return Err(self.replay(&reply)),
                    Err(_) => (Looked::Dropped(DropReason::Duplicate), None),
                }
            }
        };
        if let Some(answer) = answer {
            socket.outbox.send_again(replies, &to, &answer);
        }
        if let Looked::Part = outcome {
            add(&socket.counters.chunks, 1);
        }
        Err(outcome)
    }

    /// A request is complete. It must have the id that its chunks had.
    fn complete(
        &mut self,
        cache: &Replies,
        packet: PacketId,
        datagram: Vec<u8>,
    ) -> Result<PacketId, Looked> {
        match cache.has_id(&datagram, packet.id) {
            Ok(true) => {
                self.received.replace(self.at, datagram);
                Ok(packet)
            }
            Ok(false) => Err(Looked::Dropped(DropReason::Chunk)),
            Err(panicked) => {
                let what = "the id of a datagram could not be read";
                self.socket.events.error(self.from(), &panicked, what);
                Err(Looked::Dropped(DropReason::Chunk))
            }
        }
    }
}
