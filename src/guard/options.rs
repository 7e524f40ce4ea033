//! The options of a guard.

use std::time::Duration;

use crate::LimitError;

/// What protects a server on the internet from its peers, and others from the server. Given to
/// [`ServerBuilder::guard`](crate::ServerBuilder::guard).
///
/// Anybody can send datagrams with the address of somebody else as their source. A server that answers them sends its
/// replies to a victim (reflection), and if replies are longer than requests, it multiplies the traffic of the attacker
/// (amplification). So until the address of a peer is *validated*, the guard limits what the server sends to it, as QUIC
/// does ([RFC 9000, section 8](https://www.rfc-editor.org/rfc/rfc9000#section-8)). [`Peer::validate`](crate::Peer::validate)
/// says that an address is validated: call it when the peer has sent something that only a host at its address can know,
/// such as an unpredictable number that the server has sent to it before. Peers on Unix sockets are always validated.
///
/// | option | with [`internet`](Self::internet) |
/// | --- | --- |
/// | [`reply_factor`](Self::reply_factor) | 3 bytes for each byte received |
/// | [`min_reply_budget`](Self::min_reply_budget) | 0 |
/// | [`reply_rate`](Self::reply_rate) | 50 datagrams a second to each address |
/// | [`reply_burst`](Self::reply_burst) | 125 datagrams |
/// | [`max_conversation_time`](Self::max_conversation_time) | 10 minutes |
/// | [`max_queue_time`](Self::max_queue_time) | 1 second |
/// | [`refused_ports`](Self::refused_ports) | 0, 17, 19, 53, 111, 123, 137, 138, 161, 389, 500 |
///
/// Without a guard, replies are not limited. All other [limits](crate::Limits) apply with and without one. The guard
/// does the same on loopback as on other networks, so that tests show what happens on the internet.
///
/// # When the guard refuses a reply
///
/// `send` returns [`SendError::OverBudget`](crate::SendError::OverBudget) or
/// [`SendError::OverRate`](crate::SendError::OverRate), and the server counts it in
/// [`ServerStats::over_budget`](crate::ServerStats::over_budget) or
/// [`over_rate`](crate::ServerStats::over_rate). If the handler returns that error, or is a function, nothing is logged
/// except one warning per run of `serve`.
///
/// Requests that are much shorter than their replies need one of these:
///
/// - The client pads its request, so that it is at least a third as long as the reply. DNS over QUIC and QUIC itself do
///   that.
/// - The handler answers the first request with a number that the client must repeat (a cookie), and calls
///   [`Peer::validate`](crate::Peer::validate) when it does.
/// - A higher [`reply_factor`](Self::reply_factor) or [`min_reply_budget`](Self::min_reply_budget), if the network
///   drops forged addresses.
///
/// # Examples
///
/// ```
/// use datagrammar::{Client, Guard, Server, Text};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), datagrammar::BoxError> {
/// let times = async |text: String| text.repeat(5);
/// let server = Server::builder(Text, times).guard(Guard::internet()).bind("127.0.0.1:0").await?;
/// let (addr, handle) = (server.local_addr(), server.handle());
/// server.spawn();
///
/// let client = Client::connect(addr, Text).await?;
/// client.send("hello".to_owned()).await?; // 25 bytes in reply to 5 bytes are too many
/// assert!(client.recv_timeout(Duration::from_millis(100)).await.is_err());
/// assert_eq!(handle.stats().over_budget, 1);
/// # Ok(())
/// # }
/// ```
#[doc(alias("amplification", "reflection", "DDoS", "spoofing"))]
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it has an effect only when it is given to a server"]
pub struct Guard {
    reply_factor: Option<u32>,
    min_reply_budget: usize,
    reply_rate: Option<u32>,
    reply_burst: Option<u32>,
    max_conversation_time: Option<Duration>,
    max_queue_time: Option<Duration>,
    refused_ports: Vec<u16>,
}

/// Ports of services that answer anything, as s2n-quic refuses them: reflectors that an attacker uses to make two
/// servers answer each other.
const REFLECTORS: [u16; 11] = [0, 17, 19, 53, 111, 123, 137, 138, 161, 389, 500];

impl Guard {
    /// A guard for a server that any host on the internet can reach.
    #[doc(alias = "new")]
    #[doc(alias = "default")]
    pub fn internet() -> Self {
        Self {
            reply_factor: Some(3),
            min_reply_budget: 0,
            reply_rate: Some(50),
            reply_burst: Some(125),
            max_conversation_time: Some(Duration::from_secs(600)),
            max_queue_time: Some(Duration::from_secs(1)),
            refused_ports: REFLECTORS.to_vec(),
        }
    }

    /// Sets how many bytes the server may send to a peer for each byte that its handler has received from it, until the
    /// peer is validated. The default is 3; `None` means no limit.
    ///
    /// The budget belongs to the conversation of a peer, and its [senders](crate::PeerSender) share it. It counts the
    /// bytes of whole datagrams, without the headers of UDP and IP. Replies that a [reply cache](crate::ReplyCache)
    /// sends again count too: each time, the repeated request pays for them.
    pub fn reply_factor(mut self, factor: impl Into<Option<u32>>) -> Self {
        self.reply_factor = factor.into();
        self
    }

    /// Sets how many bytes each datagram at least adds to the budget of its peer. The default is 0.
    ///
    /// With 100, a reply of 100 bytes may follow a request of 1 byte: an attacker gets up to 100 bytes, and with the
    /// headers of UDP and IPv4 128, for 29.
    pub const fn min_reply_budget(mut self, bytes: usize) -> Self {
        self.min_reply_budget = bytes;
        self
    }

    /// Sets how many datagrams a second the server may send to each address that is not validated. The default is 50;
    /// `None` means no limit.
    ///
    /// All clients behind one address, as in a home or an office (NAT), share its rate until they are validated.
    ///
    /// Networks are limited too, by multiples of this number: for IPv4 32 times as many to each /24 and 256 times to each
    /// /20; for IPv6 twice as many to each /64, 3 times to each /56 and 4 times to each /48. These are the numbers of Knot
    /// DNS. Requests that need no reply are not limited: for these there is
    /// [`ServerBuilder::rate_limit`](crate::ServerBuilder::rate_limit).
    ///
    /// While replies to a source are refused, its datagrams are dropped before they are decoded, counted as
    /// [`DropReason::Rate`](crate::DropReason::Rate), unless it is in conversation. All sources share tables of 1 MiB
    /// in all, so no number of sources takes more memory.
    pub fn reply_rate(mut self, per_second: impl Into<Option<u32>>) -> Self {
        self.reply_rate = per_second.into();
        self
    }

    /// Sets how many datagrams in a row the server may send to an address that is not validated. The default is 125;
    /// `None` means as many as in one second.
    pub fn reply_burst(mut self, datagrams: impl Into<Option<u32>>) -> Self {
        self.reply_burst = datagrams.into();
        self
    }

    /// Sets how long a conversation may last whose peer is not validated. The default is 10 minutes; `None` means no limit.
    ///
    /// Then it is dropped at its await point, and counted as [`ServerStats::evicted`](crate::ServerStats::evicted). Its
    /// peer may begin another one.
    pub fn max_conversation_time(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.max_conversation_time = time.into();
        self
    }

    /// Sets how long a datagram may wait before a handler receives it, so that a server with more requests than it can
    /// answer answers new ones instead of old ones. The default is 1 second; `None` means no limit. See
    /// [`Limits::max_queue_time`](crate::Limits::max_queue_time): if that is set too, the shorter one applies. It applies
    /// to all peers, also to validated ones and those on Unix sockets.
    pub fn max_queue_time(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.max_queue_time = limit.into();
        self
    }

    /// Sets the source ports whose datagrams are dropped, counted as [`DropReason::Refused`](crate::DropReason::Refused).
    /// The default are ports of services that answer almost anything, so that nobody can make them and this server
    /// answer each other without end: 0, 17 (quote of the day), 19 (character generator), 53 (DNS), 111 (port mapper),
    /// 123 (NTP), 137 and 138 (NetBIOS), 161 (SNMP), 389 (LDAP), 500 (IKE).
    ///
    /// A server whose peers use such a port, for example one that NTP servers talk to, needs a shorter list.
    pub fn refused_ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.refused_ports = ports.into_iter().collect();
        self
    }

    /// Returns how many bytes may be sent for each byte received; see [`reply_factor`](Self::reply_factor).
    #[must_use]
    pub const fn get_reply_factor(&self) -> Option<u32> {
        self.reply_factor
    }

    /// Returns how many bytes each datagram at least allows; see [`min_reply_budget`](Self::min_reply_budget).
    #[must_use]
    pub const fn get_min_reply_budget(&self) -> usize {
        self.min_reply_budget
    }

    /// Returns how many replies a second an address may get; see [`reply_rate`](Self::reply_rate).
    #[must_use]
    pub const fn get_reply_rate(&self) -> Option<u32> {
        self.reply_rate
    }

    /// Returns how many replies in a row an address may get; see [`reply_burst`](Self::reply_burst).
    #[must_use]
    pub const fn get_reply_burst(&self) -> Option<u32> {
        self.reply_burst
    }

    /// Returns how long a conversation may last whose peer is not validated; see
    /// [`max_conversation_time`](Self::max_conversation_time).
    #[must_use]
    pub const fn get_max_conversation_time(&self) -> Option<Duration> {
        self.max_conversation_time
    }

    /// Returns how long a datagram may wait; see [`max_queue_time`](Self::max_queue_time).
    #[must_use]
    pub const fn get_max_queue_time(&self) -> Option<Duration> {
        self.max_queue_time
    }

    /// Returns the source ports that are refused; see [`refused_ports`](Self::refused_ports).
    #[must_use]
    pub fn get_refused_ports(&self) -> &[u16] {
        &self.refused_ports
    }

    /// Returns an error if a limit is 0.
    pub(crate) fn check(&self) -> Result<(), LimitError> {
        let zero = [
            (self.reply_factor, "Guard::reply_factor"),
            (self.reply_rate, "Guard::reply_rate"),
            (self.reply_burst, "Guard::reply_burst"),
        ];
        let times = [
            (self.max_conversation_time, "Guard::max_conversation_time"),
            (self.max_queue_time, "Guard::max_queue_time"),
        ];
        let zero = zero.into_iter().filter(|(value, _)| *value == Some(0)).map(|(_, name)| name);
        let times = times.into_iter().filter(|(time, _)| *time == Some(Duration::ZERO));
        match zero.chain(times.map(|(_, name)| name)).next() {
            Some(name) => Err(LimitError::Zero(name)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // G-1
    #[test]
    fn what_is_set_can_be_read_and_zero_is_refused_by_name() {
        let seconds = Duration::from_secs;
        let guard = Guard::internet()
            .reply_factor(2)
            .min_reply_budget(100)
            .reply_rate(4)
            .reply_burst(5)
            .max_conversation_time(seconds(6))
            .max_queue_time(seconds(7))
            .refused_ports([8, 9]);

        assert_eq!((guard.get_reply_factor(), guard.get_min_reply_budget()), (Some(2), 100));
        assert_eq!((guard.get_reply_rate(), guard.get_reply_burst()), (Some(4), Some(5)));
        assert_eq!(guard.get_max_conversation_time(), Some(seconds(6)));
        assert_eq!(guard.get_max_queue_time(), Some(seconds(7)));
        assert_eq!(guard.get_refused_ports(), [8, 9]);

        assert!(guard.check().is_ok());
        let zeros = [
            ("reply_factor", guard.clone().reply_factor(0)),
            ("reply_rate", guard.clone().reply_rate(0)),
            ("reply_burst", guard.clone().reply_burst(0)),
            ("max_conversation_time", guard.clone().max_conversation_time(Duration::ZERO)),
            ("max_queue_time", guard.max_queue_time(Duration::ZERO)),
        ];
        for (name, zero) in zeros {
            assert!(zero.check().unwrap_err().to_string().contains(name), "{name}");
        }
    }
}
