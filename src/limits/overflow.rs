//! What is dropped when a queue is full.

/// Which datagram is dropped when the queue of a peer is full; set by [`Limits::overflow`](crate::Limits::overflow).
///
/// # Examples
///
/// ```
/// use datagrammar::{Limits, Overflow};
///
/// // Each handler needs only the newest state of its peer.
/// let limits = Limits::default().max_queue_len(1).overflow(Overflow::DropOldest);
/// assert_eq!(limits.get_overflow(), Overflow::DropOldest);
/// assert_eq!(Overflow::default(), Overflow::DropNewest);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// The datagram that has just arrived. The kernel does the same when a socket buffer is full.
    #[default]
    DropNewest,
    /// The datagram that has waited longest. Use it if only the newest datagrams from a peer matter.
    /// These drops are counted, but not logged.
    DropOldest,
}
