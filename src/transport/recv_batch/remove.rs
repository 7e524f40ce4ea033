//! Takes datagrams out of a batch.

use super::RecvBatch;

impl RecvBatch {
    /// Keeps the datagrams for which `kept` is true, with what came with them. Their numbers change.
    pub(super) fn compact(&mut self, kept: &[bool]) {
        if kept.iter().all(|kept| *kept) {
            return;
        }
        // How many are kept of those before each one, and of all.
        let mut count = 0;
        let mut before: Vec<usize> = Vec::with_capacity(kept.len() + 1);
        for kept in kept {
            before.push(count);
            count += usize::from(*kept);
        }
        before.push(count);
        for (behind, _) in &mut self.truncated {
            *behind = before[*behind];
        }
        self.passed.retain(|(index, _)| kept[*index]);
        self.passed.iter_mut().for_each(|(index, _)| *index = before[*index]);
        self.ancillary.resize(kept.len(), Default::default());
        keep(&mut self.ancillary, kept);
        keep(&mut self.arrived, kept);
        self.total = self.arrived.iter().map(|(_, bytes)| bytes.end - bytes.start).sum();
        if self.is_empty() {
            self.clear(); // All of its room is free again.
        }
    }
}

/// Keeps the elements for which `kept` is true.
fn keep<T>(elements: &mut Vec<T>, kept: &[bool]) {
    let mut kept = kept.iter();
    elements.retain(|_| *kept.next().expect("there are as many"));
}
