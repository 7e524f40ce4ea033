//! The mode in which requests leave at a fixed rate.

use crate::{Load, requests::Snapshot, send::BATCH};

/// Runs the load, and returns what was counted when the measurement began and when it ended.
pub fn run(load: &mut Load) -> (Snapshot, Snapshot) {
    let Load { options, sockets, sender, receiver, requests } = load;
    let start = requests.now();
    let mut first: Option<Snapshot> = None;
    let mut next_slot = 0;
    let mut turns = sockets.iter().cycle();
    let mut list: Vec<u32> = Vec::with_capacity(BATCH);
    let mut responses: Vec<(u32, u32)> = Vec::with_capacity(4096);
    loop {
        let began = requests.now();
        let due = ((began - start) as f64 * options.rate / 1e9) as u64;
        list.clear();
        for _ in 0..due.saturating_sub(requests.counts.sent).min(BATCH as u64) {
            // The slot comes round again: its last request got no response.
            requests.counts.lost += u64::from(requests.slots[next_slot as usize].sent != 0);
            list.push(next_slot);
            next_slot = (next_slot + 1) % requests.slots.len() as u32;
        }
        if !list.is_empty() {
            requests.note_sent(&list, began);
            sender.send(turns.next().expect("there is a socket"), &list, &requests.slots);
        }
        responses.clear();
        for socket in &*sockets {
            receiver.receive(socket, BATCH, libc::MSG_DONTWAIT, |slot, generation| {
                responses.push((slot, generation))
            });
        }
        let now = requests.now();
        for &(slot, generation) in &responses {
            requests.note_response(slot, generation, now);
        }
        if list.is_empty() && responses.is_empty() {
            requests.counts.idle += now - began;
        }
        match first.take_if(|begin| now as f64 >= begin.at as f64 + options.duration * 1e9) {
            Some(begin) => return (begin, requests.snapshot(options)),
            None if first.is_none() && now as f64 >= options.warmup * 1e9 => {
                first = Some(requests.snapshot(options));
                requests.recording = true;
            }
            None => {}
        }
    }
}
