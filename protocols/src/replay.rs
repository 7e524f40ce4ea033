//! A window of sequence numbers that detects replayed datagrams.

/// Detects replayed packets (anti-replay): returns whether a sequence number is new.
///
/// A signature says who wrote a datagram, not when. Somebody who recorded a signed datagram can
/// send it again. So the sender numbers its packets, and the receiver keeps one window per sender.
/// Protocols have no state, so this is the task of your program: it passes the number that is in
/// the packet to [`accept`](Self::accept).
///
/// The window is the greatest number so far and the 63 numbers before it, as in IPsec ([RFC 4303],
/// section 3.4.3) and DTLS ([RFC 9147], section 4.5.1). Packets that the network reorders within
/// the window are accepted, each number once. Older numbers are refused, whether they are new or
/// not. A window takes 16 bytes.
///
/// A window is for one conversation. It cannot detect a packet that was recorded in another
/// conversation, before a restart of the program, or from another address. For that, put something
/// else into the packet: a random number that the receiver chooses for each conversation. The
/// example `examples/signed_counter.rs` of `datagrammar` shows how.
///
/// Use only numbers that are signed or sealed. With other numbers, an attacker could send a very
/// large one, and the window would then refuse all honest packets.
///
/// [RFC 4303]: https://www.rfc-editor.org/rfc/rfc4303#section-3.4.3
/// [RFC 9147]: https://www.rfc-editor.org/rfc/rfc9147#section-4.5.1
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::ReplayWindow;
///
/// let mut window = ReplayWindow::new();
///
/// assert!(window.accept(7));
/// assert!(!window.accept(7)); // again
/// assert!(window.accept(100));
/// assert!(window.accept(99)); // late
/// assert!(!window.accept(36)); // too late: 64 behind
/// ```
#[doc(alias = "anti-replay")]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct ReplayWindow {
    greatest: u64,
    /// Bit n stands for `greatest - n`. No bit is set before the first number.
    accepted: u64,
}

impl ReplayWindow {
    /// Creates a window that has seen no number, so it accepts any first number.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::ReplayWindow;
    ///
    /// assert!(ReplayWindow::new().accept(1_000_000));
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { greatest: 0, accepted: 0 }
    }

    /// Returns whether `sequence` is new, and remembers it.
    ///
    /// IPsec needs two steps: it looks up the number, checks the signature, and then remembers the
    /// number. One step is enough here, because the number is part of a packet and so its datagram
    /// was verified before.
    ///
    /// All values of `u64` are valid, also 0. After [`u64::MAX`] no number is newer, and a window
    /// cannot go back; a sender that counts packets never gets there.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::ReplayWindow;
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
