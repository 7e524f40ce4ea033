//! The only module that passes pointers to the kernel, and takes descriptors from it.

#[cfg(any(target_os = "android", target_os = "linux"))]
pub(super) mod filter;
pub(super) mod inherited;
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
pub(super) mod mmsg;
#[cfg(feature = "blocking")]
pub(super) mod poll;
pub(super) mod unix;

/// Bytes that the kernel reads or writes, aligned for its structures.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(super) struct Aligned<const N: usize>(pub(super) [u8; N]);

impl<const N: usize> Default for Aligned<N> {
    fn default() -> Self {
        Self([0; N])
    }
}
