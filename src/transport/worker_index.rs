//! Which of several sockets on one address a socket is.

/// Which of the sockets that share an address a socket is for the kernel, which counts them in the order
/// they were bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WorkerIndex {
    pub(crate) number: u32,
    pub(crate) of: u32,
}

impl WorkerIndex {
    /// That of a socket that has its address for itself.
    pub(crate) const ALONE: Self = Self { number: 0, of: 1 };
}
