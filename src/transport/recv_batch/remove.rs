//! Takes datagrams out of a batch.

use super::RecvBatch;

impl RecvBatch {
    /// Removes the datagrams with these numbers, which ascend, and what came with them. The numbers of those behind them change.
    pub(super) fn remove(&mut self, removed: &[usize]) {
        if removed.is_empty() {
            return;
        }
        let is_kept = |number: &usize| removed.binary_search(number).is_err();
        let moved = |number: usize| number - removed.partition_point(|removed| *removed < number);
        for (behind, _) in &mut self.truncated {
            *behind = moved(*behind);
        }
        self.passed.retain(|(number, _)| is_kept(number));
        self.passed.iter_mut().for_each(|(number, _)| *number = moved(*number));
        self.ancillary.resize(self.arrived.len(), Default::default());
        let mut numbers = 0..;
        self.ancillary.retain(|_| numbers.next().as_ref().is_some_and(is_kept));
        let mut numbers = 0..;
        self.arrived.retain(|_| numbers.next().as_ref().is_some_and(is_kept));
        self.total = self.arrived.iter().map(|(_, bytes)| bytes.end - bytes.start).sum();
        if self.is_empty() {
            self.clear(); // All of its room is free again.
        }
    }
}
