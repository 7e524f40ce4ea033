//! Datagrams that have waited too long.

use super::{Mailbox, Waiting, release_all};
use crate::{limits::LiveLimits, queue_time::Stamp, stats::Counters};

impl Mailbox {
    /// Takes the oldest datagram that waits, if it has waited too long. The one that opened the conversation counts only if
    /// its handler `begins`. The caller drops it without the lock, because of its ticket, and counts it.
    pub(crate) fn take_late(
        &self,
        begins: bool,
        now: Stamp,
        limits: &LiveLimits,
        counters: &Counters,
    ) -> Option<Waiting> {
        let is_late = |waiting: &Waiting| limits.queue_time().is_late(waiting.0.arrived, now);
        let mut state = self.lock();
        let late = match &state.opening {
            Some(opening) if begins && is_late(opening) => state.opening.take()?,
            None if state.asked.is_none() && state.queue.front().is_some_and(is_late) => {
                state.pop()?
            }
            _ => return None,
        };
        release_all(&late.1, counters);
        Some(late)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::{Limits, transport::Ancillary};

    const LIMIT: Duration = Duration::from_millis(10);

    fn arrived(arrived: Stamp) -> Ancillary {
        Ancillary { arrived, ..Ancillary::default() }
    }

    //
    #[test]
    fn what_has_waited_too_long_is_taken_from_the_front() {
        let (limits, counters) =
            (LiveLimits::new(&Limits::default().max_queue_time(LIMIT)), Counters::default());
        let begun = Instant::now();
        let at = |millis| limits.queue_time().stamp(begun + Duration::from_millis(millis));
        let mailbox = Mailbox::default();
        mailbox.open(arrived(at(0)), b"opening", None, &limits, &counters).unwrap();
        for (datagram, millis) in [(b"a", 1), (b"b", 2), (b"c", 30)] {
            mailbox.offer(arrived(at(millis)), datagram, &mut None, &limits, &counters);
        }

        let late = |begins, millis| {
            let late = mailbox.take_late(begins, at(millis), &limits, &counters);
            late.map(|(_, body)| String::from_utf8(body.to_vec()).unwrap())
        };
        assert_eq!(late(true, 9), None);
        assert_eq!(late(false, 35), None, "the handler may still receive what opened it");
        assert_eq!(late(true, 35).unwrap(), "opening");
        assert_eq!(late(false, 35).unwrap(), "a");
        assert_eq!(late(false, 35).unwrap(), "b");
        assert_eq!(late(false, 35), None);
        assert_eq!(late(false, 45).unwrap(), "c");
        assert_eq!(late(false, 45), None);
        assert_eq!(counters.read().queued_bytes, 0);
    }
}
