//! The part of an exchange that clients with and without async share.

use std::io;

use super::{Exchange, Pace, Repeat, Verdict};
use crate::{ClientExchangeError, ClientRecvError, ClientSendError};

/// An exchange of a client: the kernel may refuse its datagrams, and they count as lost then.
#[derive(Debug)]
pub(crate) struct ClientSide {
    pub(crate) exchange: Exchange,
    /// The error of the last datagram that the kernel has refused.
    refused: Option<io::Error>,
    /// Whether a datagram was not refused.
    is_answerable: bool,
    /// Whether packets had arrived before the first datagram was sent, and may not all be taken yet. They say nothing
    /// about the round-trip time.
    has_early_packets: bool,
}

/// What a client does after it has received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next<Packet> {
    Return(Packet),
    /// It sends the datagram once more.
    Send,
    /// It receives again, unless the timer has expired.
    Receive,
}

impl ClientSide {
    pub(crate) fn new(datagram: Vec<u8>, repeat: &Repeat) -> Self {
        let exchange = Exchange::new(datagram, repeat);
        Self { exchange, refused: None, is_answerable: false, has_early_packets: false }
    }

    /// Returns whether the datagram is to be sent now; see [`Exchange::attempt`]. `has_arrived` says whether packets
    /// wait to be taken.
    pub(crate) fn attempt(
        &mut self,
        pace: &Pace,
        has_arrived: impl FnOnce() -> io::Result<bool>,
    ) -> Result<bool, ClientExchangeError> {
        if self.exchange.attempts == 0 {
            // Afterwards it would be too late: on the same host the answer may arrive before the send returns.
            self.has_early_packets = has_arrived().map_err(ClientExchangeError::Io)?;
        }
        self.exchange.attempt(pace).map_err(|timed_out| match self.refused.take() {
            Some(error) if !self.is_answerable => ClientExchangeError::Unreachable(error),
            _ => ClientExchangeError::timed_out(timed_out),
        })
    }

    /// Takes what became of the datagram; `None` if there was no room for it until the end of the exchange. It counts
    /// as sent and lost then.
    pub(crate) fn sent(
        &mut self,
        outcome: Option<Result<(), ClientSendError>>,
    ) -> Result<(), ClientExchangeError> {
        match outcome {
            Some(Err(ClientSendError::Io(error))) => self.refused = Some(error),
            Some(Err(error)) => return Err(ClientExchangeError::not_sent(error)),
            Some(Ok(())) | None => self.is_answerable = true,
        }
        Ok(())
    }

    /// Judges what was received; see [`Exchange::judge`]. `waited` says whether the client had to wait for it.
    pub(crate) fn received<Packet>(
        &mut self,
        received: Result<Packet, ClientRecvError>,
        is_duplicate: bool,
        waited: bool,
    ) -> Result<Next<Packet>, ClientExchangeError> {
        self.has_early_packets &= !waited;
        Ok(match received {
            Ok(packet) => match self.exchange.judge(is_duplicate, !self.has_early_packets) {
                Verdict::Return => Next::Return(packet),
                Verdict::Skip => Next::Receive,
                Verdict::Answer => Next::Send,
            },
            Err(error) => match ClientExchangeError::not_received(error) {
                Some(error) => return Err(error),
                None => Next::Receive,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether an exchange gives a sample of the round-trip time, if its answer needs no wait.
    fn samples(arrived_before: bool, waited_before: bool) -> bool {
        let (mut pace, mut side) = (Pace::default(), ClientSide::new(vec![1], &Repeat::default()));
        side.exchange.resume();
        assert!(side.attempt(&pace, || Ok(arrived_before)).unwrap());
        let skipped = side.received(Err::<(), _>(ClientRecvError::TimedOut), false, waited_before);
        assert_eq!(skipped.unwrap(), Next::Receive);

        assert_eq!(side.received(Ok("answer"), false, false).unwrap(), Next::Return("answer"));
        side.exchange.learn(&mut pace);
        pace.round_trip.smoothed().is_some()
    }

    //
    #[test]
    fn an_answer_gives_a_sample_also_if_it_arrives_before_the_client_receives() {
        assert!(samples(false, false));
        // It may have been there before the datagram was sent.
        assert!(!samples(true, false));
        assert!(samples(true, true));
    }
}
