//! Which requests are in flight, and what was counted.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;

use crate::{
    cpu::{self, Core, Process},
    message::GENERATIONS,
    options::{Mode, Options},
};

/// One request in flight, or room for one.
#[derive(Clone, Copy, Default)]
pub struct Slot {
    /// When the request was sent, in nanoseconds; 0 where none is in flight.
    pub sent: u64,
    pub generation: u32,
    pub client: u32,
}

pub struct Requests {
    mode: Mode,
    clients: u64,
    window: u32,
    start: Instant,
    pub slots: Vec<Slot>,
    /// Of response times in nanoseconds, while `recording`.
    pub times: Histogram<u64>,
    pub recording: bool,
    pub counts: Counts,
    /// Requests that have chosen their clients.
    pub chosen: u64,
}

#[derive(Clone, Copy, Default)]
pub struct Counts {
    pub sent: u64,
    pub answered: u64,
    pub lost: u64,
    /// Responses to requests that are over.
    pub stale: u64,
    /// Nanoseconds in which this program had nothing to do.
    pub idle: u64,
}

/// What was counted up to one moment.
pub struct Snapshot {
    pub at: u64,
    pub counts: Counts,
    pub server: Option<Process>,
    pub server_core: Option<Core>,
    pub core: Option<Core>,
    /// CPU time of this program, in nanoseconds.
    pub own_cpu: u64,
}

impl Requests {
    pub fn new(options: &Options) -> Self {
        let slots = match options.mode {
            Mode::Closed => options.clients * options.window,
            Mode::Many => options.window,
            Mode::Flood => 1 << 18,
        };
        // Late responses to an earlier run do not count: generations start at a different number each time.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
        let generation = now.subsec_micros() % 900_000;
        Self {
            mode: options.mode,
            clients: options.clients as u64,
            window: options.window as u32,
            start: Instant::now(),
            slots: vec![Slot { generation, ..Slot::default() }; slots],
            times: Histogram::new_with_bounds(1, 60_000_000_000, 3)
                .expect("the bounds are in order"),
            recording: false,
            counts: Counts::default(),
            chosen: 0,
        }
    }

    /// Nanoseconds since the start, at least 1.
    pub fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64 + 1
    }

    /// Notes that a request leaves for each slot of `list`.
    pub fn note_sent(&mut self, list: &[u32], now: u64) {
        for &slot in list {
            let client = self.choose_client(slot);
            let slot = &mut self.slots[slot as usize];
            slot.generation = (slot.generation + 1) % GENERATIONS;
            slot.sent = now;
            slot.client = client;
        }
        self.counts.sent += list.len() as u64;
    }

    fn choose_client(&mut self, slot: u32) -> u32 {
        if self.mode == Mode::Closed {
            return slot / self.window;
        }
        // Neighbours in time are far apart, so that the kernel's caches of addresses do not help.
        let client = (self.chosen * 2_654_435_761) % self.clients;
        self.chosen += 1;
        client as u32
    }

    /// Notes a response, and returns whether it answers a request in flight.
    pub fn note_response(&mut self, slot: u32, generation: u32, now: u64) -> bool {
        let Some(slot) = self.slots.get_mut(slot as usize) else { return false };
        if slot.sent == 0 || slot.generation != generation {
            self.counts.stale += 1;
            return false;
        }
        let time = now.saturating_sub(slot.sent).max(1);
        slot.sent = 0;
        self.counts.answered += 1;
        if self.recording {
            self.times.saturating_record(time);
        }
        true
    }

    pub fn snapshot(&self, options: &Options) -> Snapshot {
        Snapshot {
            at: self.now(),
            counts: self.counts,
            server: options.pid.and_then(|pid| Process::read(pid, options.server_cpu)),
            server_core: options.server_cpu.and_then(Core::read),
            core: options.cpu.and_then(Core::read),
            own_cpu: cpu::own_time(),
        }
    }
}
