//! The position of a socket among several sockets on one address.

/// The position of a socket among the sockets that share its address. The kernel numbers them in the order in
/// which they were bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WorkerIndex {
    pub(crate) number: u32,
    pub(crate) of: u32,
}

impl WorkerIndex {
    /// The index of a socket that does not share its address.
    pub(crate) const ALONE: Self = Self { number: 0, of: 1 };
}
