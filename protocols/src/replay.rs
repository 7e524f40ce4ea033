//! A window of sequence numbers, to refuse datagrams that are sent again.

/// Tells whether a number that counts up is new: for datagrams that somebody recorded and sends again.
///
/// A signature says who wrote a datagram, not when; anyone who recorded it can send it again. So the
/// sender counts its packets, and the receiver keeps a window per sender. A protocol has no memory,
/// so this is for the handler to do, with a number that is in the packet.
///
/// The window is the greatest number so far and the 63 before it, as in IPsec ([RFC 4303], section
/// 3.4.3) and DTLS ([RFC 9147], section 4.5.1): what the network has reordered within it is
/// accepted, each number once. What is older is refused, new or not. It takes 16 bytes.
///
/// A window knows of its own conversation only. What was recorded in another one, before the program
/// was started again, or is sent from another address, has to be told apart by something else in the
/// packet: a number that the receiver draws for each conversation. The example `signed_counter` of
/// `datagrammar` does so.
///
/// Only numbers that are signed or sealed mean anything: with others a stranger could move the
/// window to the end, and what is honest would be refused from there on.
///
/// [RFC 4303]: https://www.rfc-editor.org/rfc/rfc4303#section-3.4.3
/// [RFC 9147]: https://www.rfc-editor.org/rfc/rfc9147#section-4.5.1
///
/// # Examples
///
/// ```
/// use datagrammar_protocols::ReplayWindow;
///
/// let mut window = ReplayWindow::new();
///
/// assert!(window.accept(7));
/// assert!(!window.accept(7)); // again
/// assert!(window.accept(100));
/// assert!(window.accept(99)); // late
/// assert!(!window.accept(36)); // too late: 64 behind
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ReplayWindow {
    greatest: u64,
    /// Bit n stands for `greatest - n`. Without any bit nothing was accepted yet.
    accepted: u64,
}

impl ReplayWindow {
    /// Creates a window that has seen no number, so that it accepts any first one.
    #[must_use]
    pub const fn new() -> Self {
        Self { greatest: 0, accepted: 0 }
    }

    /// Returns whether `sequence` is new, and remembers it.
    ///
    /// It is one step, where IPsec has two (look, check the signature, then remember): here nobody
    /// has a number in hands before its datagram was verified, as it is part of a packet.
    ///
    /// All of `u64` is fine, 0 too. There is nothing greater after [`u64::MAX`], and no way back: a
    /// sender that counts packets never gets there.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar_protocols::ReplayWindow;
    ///
    /// let mut window = ReplayWindow::new();
    /// let recorded = [0, 1, 3, 2, 3, 0];
    ///
    /// assert_eq!(recorded.map(|n| window.accept(n)), [true, true, true, true, false, false]);
    /// ```
    #[must_use = "a number that is not new is for the caller to refuse"]
    pub const fn accept(&mut self, sequence: u64) -> bool {
        if self.accepted == 0 || sequence > self.greatest {
            let ahead = sequence.wrapping_sub(self.greatest);
            self.accepted = if ahead < WIDTH { self.accepted << ahead } else { 0 } | 1;
            self.greatest = sequence;
            return true;
        }
        let behind = self.greatest - sequence;
        if behind >= WIDTH {
            return false;
        }
        let before = self.accepted;
        self.accepted |= 1 << behind;
        self.accepted != before
    }
}

const WIDTH: u64 = 64; // numbers, the greatest among them
