//! The buffers of a socket.

use std::fmt;

/// The size of a socket buffer: requested by the program, and granted by the kernel.
///
/// `Display` shows both sizes, and the Linux setting to change if the kernel granted less.
///
/// # Examples
///
/// ```
/// use datagrammar::{Server, Text, Udp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let udp = Udp::new("127.0.0.1:0").recv_buffer_size(65_536);
/// let server = Server::bind(udp, Text, async |text: String| text).await?;
///
/// let diagnostics = server.handle().diagnostics();
/// let buffer = diagnostics.sockets()[0].recv_buffer().expect("UDP has buffers");
/// assert_eq!(buffer.requested(), Some(65_536));
/// if let Some((setting, bytes)) = buffer.sysctl() {
///     println!("run `sysctl -w {setting}={bytes}`");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    requested: Option<usize>,
    granted: usize,
    /// The Linux setting that limits such buffers.
    sysctl: &'static str,
}

impl Buffer {
    pub(in crate::handle) const fn new(
        requested: Option<usize>,
        granted: usize,
        sysctl: &'static str,
    ) -> Self {
        Self { requested, granted, sysctl }
    }

    /// Returns how many bytes were requested. Returns `None` for a socket that you made yourself, if you set
    /// no size: its buffer stays as it is.
    #[must_use]
    pub const fn requested(&self) -> Option<usize> {
        self.requested
    }

    /// Returns how many bytes the kernel granted, in the same unit as [`requested`](Self::requested).
    ///
    /// Linux reserves the same number of bytes again for its own bookkeeping. `SO_RCVBUF` and `SO_SNDBUF`
    /// report both; this number is half of that.
    #[must_use]
    pub const fn granted(&self) -> usize {
        self.granted
    }

    /// Returns whether the kernel granted less than was requested.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.requested.is_some_and(|requested| self.granted < requested)
    }

    /// Returns the Linux setting that makes this buffer short (`net.core.rmem_max` or `net.core.wmem_max`),
    /// and the number of bytes that it must allow. Returns `None` if the buffer is not short, and on other
    /// systems.
    #[must_use]
    pub fn sysctl(&self) -> Option<(&'static str, usize)> {
        /// The largest size that Linux grants: twice this number must fit into an `int`.
        const MOST: usize = i32::MAX as usize / 2;

        let needed = self.requested?.min(MOST);
        let limited = cfg!(target_os = "linux") && self.granted < needed;
        limited.then_some((self.sysctl, needed))
    }
}

impl fmt::Display for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Bytes(self.granted))?;
        match self.requested {
            Some(requested) if self.is_short() => write!(f, " of {} requested", Bytes(requested))?,
            Some(_) => {}
            None => write!(f, ", unchanged on the caller's own socket")?,
        }
        match self.sysctl() {
            Some((name, bytes)) => {
                write!(f, "; `sysctl -w {name}={bytes}` allows that much")
            }
            None => Ok(()),
        }
    }
}

/// A number of bytes, printed in the largest unit that divides it.
struct Bytes(usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const KIB: usize = 1 << 10;
        const MIB: usize = 1 << 20;

        match self.0 {
            bytes if bytes > 0 && bytes % MIB == 0 => write!(f, "{} MiB", bytes / MIB),
            bytes if bytes > 0 && bytes % KIB == 0 => write!(f, "{} KiB", bytes / KIB),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(requested: Option<usize>, granted: usize) -> Buffer {
        Buffer::new(requested, granted, "net.core.rmem_max")
    }

    #[test]
    fn a_buffer_is_short_only_if_less_than_requested_was_granted() {
        assert!(buffer(Some(4_096), 4_095).is_short());
        for enough in [buffer(Some(4_096), 4_096), buffer(Some(1), 1_152), buffer(None, 1)] {
            assert!(!enough.is_short() && enough.sysctl().is_none(), "{enough}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn no_setting_is_shown_for_more_than_the_kernel_can_grant() {
        const MOST: usize = 0x3fff_ffff;

        assert_eq!(buffer(Some(usize::MAX), 1).sysctl(), Some(("net.core.rmem_max", MOST)));
        assert_eq!(buffer(Some(usize::MAX), MOST).sysctl(), None);
    }
}
