//! How many datagrams each read of a socket returned.

use std::{
    fmt,
    ops::RangeInclusive,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// A histogram of the batch sizes: how many datagrams each read of a socket returned. The larger the batches
/// are, the less processor time each datagram takes.
///
/// `Display` shows the sizes that have occurred, and how often: `1: 70, 2: 4, 3–4: 1`.
///
/// # Examples
///
/// ```
/// use datagrammar::{Text, Server};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let server = Server::builder(Text, async |text: String| text).bind("127.0.0.1:0").await?;
/// let sizes: Vec<_> = server.handle().stats().batches.iter().map(|(size, _)| size).collect();
/// assert_eq!(sizes[..4], [1..=1, 2..=2, 3..=4, 5..=8]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchSizes([u64; BUCKETS]);

/// The ranges 1, 2, 3–4, and so on to 33–64, and one for more than 64. A read returns at most 64 buffers; it
/// has more datagrams only if the kernel has merged some (GRO).
const BUCKETS: usize = 8;

impl BatchSizes {
    /// Returns each range of sizes, in datagrams and in ascending order, and the number of batches in that
    /// range.
    ///
    /// The ranges double from 1 to 64. The last range ends at `usize::MAX`.
    pub fn iter(&self) -> impl Iterator<Item = (RangeInclusive<usize>, u64)> {
        let sizes = |bucket: usize| {
            let largest = if bucket < BUCKETS - 1 { 1 << bucket } else { usize::MAX };
            (1 << bucket) / 2 + 1..=largest
        };
        (0..).map(sizes).zip(self.0)
    }

    /// Returns the number of all batches.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl fmt::Display for BatchSizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (sizes, batches) in self.iter().filter(|(_, batches)| *batches > 0) {
            f.write_str(separator)?;
            match sizes.into_inner() {
                (least, usize::MAX) => write!(f, "{least} and more: {batches}")?,
                (least, most) if least == most => write!(f, "{least}: {batches}")?,
                (least, most) => write!(f, "{least}–{most}: {batches}")?,
            }
            separator = ", ";
        }
        if separator.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}

/// The counters of a [`BatchSizes`].
#[derive(Debug, Default)]
pub(super) struct BatchCounters([AtomicU64; BUCKETS]);

impl BatchCounters {
    /// Counts a batch of at least one datagram.
    pub(super) fn count(&self, datagrams: usize) {
        let bucket = datagrams.next_power_of_two().ilog2() as usize;
        self.0[bucket.min(BUCKETS - 1)].fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self) -> BatchSizes {
        BatchSizes(self.0.each_ref().map(|batches| batches.load(Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_size_is_counted_in_its_own_range() {
        for datagrams in [1, 2, 3, 4, 5, 8, 9, 16, 17, 32, 33, 64, 65, 2_048, usize::MAX / 2] {
            let counters = BatchCounters::default();

            counters.count(datagrams);

            let sizes = counters.read();
            let counted: Vec<_> = sizes.iter().filter(|(_, batches)| *batches > 0).collect();
            assert_eq!((counted.len(), counted[0].1, sizes.total()), (1, 1, 1));
            assert!(counted[0].0.contains(&datagrams), "{datagrams} in {counted:?}");
        }
    }

    #[test]
    fn the_ranges_double_and_leave_no_size_out() {
        let sizes: Vec<_> = BatchSizes::default().iter().map(|(sizes, _)| sizes).collect();

        assert_eq!(sizes[..4], [1..=1, 2..=2, 3..=4, 5..=8]);
        assert_eq!(sizes[6..], [33..=64, 65..=usize::MAX]);
    }

    #[test]
    fn sizes_that_have_not_occurred_are_not_printed() {
        assert_eq!(BatchSizes::default().to_string(), "none");
        let sizes = BatchSizes([70, 0, 1, 0, 0, 0, 0, 2]);
        assert_eq!(sizes.to_string(), "1: 70, 3–4: 1, 65 and more: 2");
    }
}
