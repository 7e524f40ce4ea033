//! The settings of the conformance kit.

use super::{Changed, Conformance, Peak};

impl<'p, I, O> Conformance<'p, I, O> {
    /// Allows these bytes after a packet, for formats in which a packet with more bytes is another
    /// valid packet.
    ///
    /// Allow all bytes (`0..=255`) for a format without an end, such as text, and white
    /// space (`*b" \t\r\n"`) for JSON.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Text, testing::Conformance};
    ///
    /// Conformance::new(Text).allow_trailing(0..=255).run(["hello".to_owned()]);
    /// ```
    pub fn allow_trailing(mut self, bytes: impl IntoIterator<Item = u8>) -> Self {
        for byte in bytes {
            self.trailing[usize::from(byte)] = true;
        }
        self
    }

    /// Requires that every cut datagram is refused.
    ///
    /// This holds for a format that has a fixed length or contains its length. In other formats,
    /// such as text, the rest may be another packet.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::testing::Conformance;
    ///
    /// # #[cfg(feature = "crc32c")]
    /// Conformance::layer(datagrammar::Crc32c).refuse_cuts().run(["hello".into()]);
    /// ```
    pub fn refuse_cuts(self) -> Self {
        Self { cuts: Changed::Refused, ..self }
    }

    /// Requires that every altered datagram is refused.
    ///
    /// This holds if the datagram contains a digest or a signature.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::testing::Conformance;
    ///
    /// # #[cfg(feature = "sha256")]
    /// Conformance::layer(datagrammar::Sha256Digest).refuse_altered().run(["hello".into()]);
    /// ```
    pub fn refuse_altered(self) -> Self {
        Self { altered: Changed::Refused, ..self }
    }

    /// Sets how many random datagrams are tried, and how many altered ones. The default is 1,000 of
    /// each.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Raw, testing::Conformance};
    ///
    /// Conformance::new(Raw).allow_trailing(0..=255).rounds(10).run(["".into()]);
    /// ```
    pub fn rounds(self, rounds: usize) -> Self {
        Self { rounds, ..self }
    }

    /// Sets the seed of the random numbers. The default is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Raw, testing::Conformance};
    ///
    /// for seed in 0..3 {
    ///     Conformance::new(Raw).allow_trailing(0..=255).rounds(10).seed(seed).run(["".into()]);
    /// }
    /// ```
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Requires that decoding a datagram never holds more than `bytes` bytes of memory at a time.
    ///
    /// `measure` must call its argument once, and return the peak of the memory that the call held.
    /// Only a global allocator can measure that, and a program can have only one, so your test
    /// provides it: an allocator that counts the bytes that the thread holds, of your own or from a
    /// crate. A datagram may have up to 65,507 bytes, so most formats need a limit of several times
    /// that.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Text, testing::Conformance};
    ///
    /// /// Returns how many bytes `call` held at its peak. `ALLOCATOR` is the `#[global_allocator]` of
    /// /// your test, of a type that counts allocations. It is not shown here.
    /// fn peak_of(call: &mut dyn FnMut()) -> usize {
    /// #   #[cfg(false)] {
    ///     ALLOCATOR.reset();
    /// #   }
    ///     call();
    /// #   #[cfg(false)] {
    ///     ALLOCATOR.peak()
    /// #   }
    /// #   0
    /// }
    ///
    /// Conformance::new(Text)
    ///     .allow_trailing(0..=255)
    ///     .peak(1024 * 1024, peak_of)
    ///     .run(["text".to_owned()]);
    /// ```
    pub fn peak(self, bytes: usize, measure: impl Fn(&mut dyn FnMut()) -> usize + 'p) -> Self {
        Self { peak: Some(Peak { bytes, measure: Box::new(measure) }), ..self }
    }
}
