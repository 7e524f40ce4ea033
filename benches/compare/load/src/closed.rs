//! The modes in which a request leaves when another one was answered.

use std::{hint, os::fd::OwnedFd};

use crate::{
    Load, done,
    options::Options,
    requests::{Requests, Slot, Snapshot},
    send::{BATCH, Sender},
    socket::{self, Poll},
};

/// How long `--prime` may take, in nanoseconds.
const MAX_PRIME: u64 = 60_000_000_000;

/// Runs the load, and returns what was counted when the measurement began and when it ended.
pub fn run(load: &mut Load) -> (Snapshot, Snapshot) {
    let Load { options, sockets, sender, receiver, requests } = load;
    let slots_each = requests.slots.len() / sockets.len();
    let mut poll = (sockets.len() > 4).then(|| done(Poll::new(sockets), "cannot poll"));
    let mut flags = libc::MSG_DONTWAIT;
    if options.block && sockets.len() == 1 {
        done(socket::set_blocking(&sockets[0]), "cannot make the socket blocking");
        flags = libc::MSG_WAITFORONE;
    }

    let all: Vec<u32> = (0..requests.slots.len() as u32).collect();
    send(requests, sender, sockets, &all);

    let timeout = options.timeout_ms * 1_000_000;
    let mut next_scan = requests.now() + timeout / 4;
    let mut first: Option<Snapshot> = None;
    let mut idle_since = None;
    let mut list: Vec<u32> = Vec::with_capacity(BATCH * 64);
    let mut responses: Vec<(u32, u32)> = Vec::with_capacity(4096);
    loop {
        responses.clear();
        let found = |slot, generation| responses.push((slot, generation));
        match &mut poll {
            Some(poll) => {
                let mut found = found;
                for at in poll.ready() {
                    // A socket with one more response than its window would be asked again.
                    while receiver.receive(&sockets[at], slots_each + 1, flags, &mut found)
                        > slots_each
                    {}
                }
            }
            None => {
                let mut found = found;
                for socket in &*sockets {
                    receiver.receive(socket, BATCH, flags, &mut found);
                }
            }
        }
        let now = requests.now();
        if responses.is_empty() {
            idle_since.get_or_insert(now);
            for _ in 0..16 {
                hint::spin_loop();
            }
        } else {
            requests.counts.idle += idle_since.take().map_or(0, |since| now - since);
            list.clear();
            for &(slot, generation) in &responses {
                if requests.note_response(slot, generation, now) {
                    list.push(slot);
                }
            }
            send(requests, sender, sockets, &list);
        }
        if now >= next_scan {
            next_scan = now + timeout / 4;
            list.clear();
            let lost = |&(_, slot): &(usize, &Slot)| slot.sent != 0 && now > slot.sent + timeout;
            list.extend(requests.slots.iter().enumerate().filter(lost).map(|(i, _)| i as u32));
            requests.counts.lost += list.len() as u64;
            send(requests, sender, sockets, &list);
        }
        match first.take_if(|begin| now as f64 >= begin.at as f64 + options.duration * 1e9) {
            Some(begin) => return (begin, requests.snapshot(options)),
            None if first.is_none() && may_begin(options, requests, now) => {
                first = Some(requests.snapshot(options));
                requests.recording = true;
            }
            None => {}
        }
    }
}

fn may_begin(options: &Options, requests: &Requests, now: u64) -> bool {
    let primed = !options.prime || requests.chosen >= options.clients as u64 || now > MAX_PRIME;
    primed && now as f64 >= options.warmup * 1e9
}

fn send(requests: &mut Requests, sender: &mut Sender, sockets: &[OwnedFd], list: &[u32]) {
    let slots_each = requests.slots.len() / sockets.len();
    let socket_of = |slot: u32| if sockets.len() == 1 { 0 } else { slot as usize / slots_each };
    for part in list.chunks(BATCH) {
        for run in part.chunk_by(|&a, &b| socket_of(a) == socket_of(b)) {
            requests.note_sent(run, requests.now());
            sender.send(&sockets[socket_of(run[0])], run, &requests.slots);
        }
    }
}
