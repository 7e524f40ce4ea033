//! The names of Unix sockets.

use std::{
    ffi::OsStr,
    fmt::{self, Write},
    os::unix::{ffi::OsStrExt, net::SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// The name of a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum UnixName {
    /// A path, or an abstract name of Linux, which begins with a zero byte.
    Named(Arc<[u8]>),
    /// No name. Nobody can tell whether two unnamed sockets are the same one, so each datagram of an unnamed
    /// socket gets a number of its own.
    Unnamed(u64),
}

impl UnixName {
    /// Makes the name from the bytes that the kernel returns: without a family, but perhaps with the zero
    /// bytes that end a path.
    #[cfg(test)]
    fn from_kernel(bytes: &[u8]) -> Self {
        match bytes_of_name(bytes) {
            [] => Self::unnamed(),
            name => Self::Named(name.into()),
        }
    }

    pub(crate) fn unnamed() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);

        Self::Unnamed(NEXT.fetch_add(1, Relaxed))
    }

    /// The bytes of the name, without a zero byte at the end of a path. Empty if the socket has no name.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Named(name) => name,
            Self::Unnamed(_) => &[],
        }
    }

    pub(crate) fn as_pathname(&self) -> Option<&Path> {
        match self.bytes() {
            [] | [0, ..] => None,
            path => Some(Path::new(OsStr::from_bytes(path))),
        }
    }

    pub(crate) fn as_abstract_name(&self) -> Option<&[u8]> {
        match self.bytes() {
            [0, name @ ..] => Some(name),
            _ => None,
        }
    }
}

/// Leaves out the zero bytes that end a path. An abstract name may contain them.
pub(crate) fn bytes_of_name(bytes: &[u8]) -> &[u8] {
    match bytes {
        [0, _, ..] => bytes,
        path => path.split(|byte| *byte == 0).next().unwrap_or_default(),
    }
}

impl fmt::Display for UnixName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bytes() {
            [] => f.write_str("<unnamed>"),
            [0, name @ ..] => {
                f.write_char('@')?;
                escape(name, f)
            }
            path => escape(path, f),
        }
    }
}

/// Writes printable characters as they are, and escapes the others, because a peer chooses its name and the
/// name may reach a terminal.
fn escape(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                // Printable, though `escape_debug` escapes them.
                '\'' | '"' | '\\' => f.write_char(c)?,
                _ => write!(f, "{}", c.escape_debug())?,
            }
        }
        for byte in chunk.invalid() {
            write!(f, "\\x{byte:02x}")?;
        }
    }
    Ok(())
}

impl From<&SocketAddr> for UnixName {
    fn from(addr: &SocketAddr) -> Self {
        #[cfg(any(target_os = "android", target_os = "linux"))]
        {
            #[cfg(target_os = "android")]
            use std::os::android::net::SocketAddrExt;
            #[cfg(target_os = "linux")]
            use std::os::linux::net::SocketAddrExt;

            if let Some(name) = addr.as_abstract_name() {
                return Self::Named([&[0], name].concat().into());
            }
        }
        match addr.as_pathname() {
            Some(path) => Self::Named(path.as_os_str().as_bytes().into()),
            None => Self::unnamed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> String {
        UnixName::from_kernel(bytes).to_string()
    }

    // B-14
    #[test]
    fn names_print_as_operators_write_them() {
        assert_eq!(shown(b"/run/app.sock"), "/run/app.sock");
        assert_eq!(shown("/run/Größe 'a' \\b\"".as_bytes()), "/run/Größe 'a' \\b\"");
        assert_eq!(shown(b"\0app\0x"), "@app\\0x");
        assert_eq!(shown(b""), "<unnamed>");
    }

    // B-14
    #[test]
    fn bytes_that_are_not_printable_are_escaped() {
        assert_eq!(shown(b"/tmp/a\nb\x1b[2J"), "/tmp/a\\nb\\u{1b}[2J");
        assert_eq!(shown(b"/tmp/\xff\xfe"), "/tmp/\\xff\\xfe");
        // The text direction changes here, so a terminal would show another path.
        assert_eq!(shown("/tmp/\u{202e}x".as_bytes()), "/tmp/\\u{202e}x");
    }

    // U-3, U-7
    #[test]
    fn a_path_ends_at_its_first_zero_byte_and_an_abstract_name_does_not() {
        assert_eq!(UnixName::from_kernel(b"/a\0\0"), UnixName::from_kernel(b"/a"));
        assert_eq!(UnixName::from_kernel(b"\0a\0").as_abstract_name(), Some(&b"a\0"[..]));
        // Some systems return a path of no bytes for an unnamed socket.
        assert!(matches!(UnixName::from_kernel(b"\0"), UnixName::Unnamed(_)));
        assert_ne!(UnixName::unnamed(), UnixName::unnamed());
    }
}
