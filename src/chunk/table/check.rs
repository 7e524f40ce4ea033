//! Checks a table, for tests and the fuzzer.

use std::collections::HashSet;

use super::{Entry, Table};

impl Table {
    /// Everything agrees with the packets, and is within the limits.
    pub(crate) fn check(&self) {
        let Self { limits, packets, peers, ages, progress, bytes, .. } = self;
        assert!(packets.len() <= limits.max_packets && *bytes <= limits.get_max_bytes());
        let costs = packets.values().map(|entry| entry.cost());
        assert_eq!(costs.sum::<usize>(), *bytes);
        assert_eq!((ages.len(), progress.len()), (packets.len(), packets.len()));
        for (number, entry) in packets {
            let Entry { source, assembly, since } = &**entry;
            assert!(ages.contains(&(*since, *number)));
            assert!(progress.contains(&(assembly.chunks(), *number)));
            assert!(assembly.chunks() > 0);
            assert!(peers[source].packets.iter().any(|(_, own)| own == number));
        }
        let sources: HashSet<_> = packets.values().map(|entry| &entry.source).collect();
        assert_eq!(peers.len(), sources.len());
        for (source, usage) in peers {
            let own = packets.values().filter(|entry| entry.source == *source);
            assert_eq!(own.map(|entry| entry.cost()).sum::<usize>(), usage.bytes);
            assert!(usage.bytes <= limits.get_max_bytes_per_peer());
            assert!(usage.packets.len() <= limits.max_packets_per_peer);
        }
    }
}
