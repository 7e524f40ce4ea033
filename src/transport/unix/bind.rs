//! Binds Unix sockets: to a path, to an abstract name, or to a name that the kernel chooses.

#[cfg(feature = "admin")]
use std::os::unix::net::UnixListener;
use std::{
    fs::{self, File},
    io,
    os::{
        fd::AsFd,
        unix::{ffi::OsStrExt, fs::FileTypeExt, net::UnixDatagram},
    },
    path::Path,
    thread::sleep,
    time::Duration,
};

use socket2::{Domain, SockAddr, Socket, Type};

use super::path::{FileId, OwnPath};
use crate::{
    AddrError, OptionError,
    addr::{Addr, Rare, Repr, UnixName},
    transport::{kernel, options::set_buffers},
};

/// How a Unix socket is bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Binding {
    pub(crate) mode: Option<u32>,
    pub(crate) replace_stale: bool,
    /// The requested sizes of the receive buffer and the send buffer, in bytes.
    pub(crate) buffers: [Option<usize>; 2],
    pub(crate) credentials: bool,
}

/// A bound socket, and its path if it has one. The path is dropped first, while the socket is open.
pub(crate) type Bound = (Option<OwnPath>, UnixDatagram);

/// Binds a non-blocking socket to `path`. An empty path lets the kernel choose an abstract name. Nothing is
/// created if this fails.
pub(crate) fn bind(path: &Path, binding: Binding) -> Result<Bound, AddrError> {
    let name = name(path)?;
    let failed = |error| AddrError::caused(format!("cannot bind {}", shown(path)), error);
    let socket = open(binding).map_err(failed)?;
    let is_file = !matches!(path.as_os_str().as_bytes(), [] | [0, ..]);
    if !is_file {
        if binding.mode.is_some() {
            let problem = format!("{} is no path, so it has no mode", shown(path));
            return Err(failed(OptionError::invalid("mode", problem).into()));
        }
        socket.bind(&name).map_err(|error| explained(path, error))?;
        return Ok((None, into_std(socket)));
    }
    if let Some(mode) = binding.mode {
        set_mode(&socket, mode).map_err(failed)?;
    }
    match socket.bind(&name) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && binding.replace_stale => {
            replace(&socket, &name, path).map_err(|error| explained(path, error))?;
        }
        Err(error) => return Err(explained(path, error)),
    }
    let own = OwnPath::new(path).map_err(failed)?;
    if let Some(mode) = binding.mode {
        // The umask may have removed permissions.
        widen(path, mode).map_err(failed)?;
    }
    Ok((Some(own), into_std(socket)))
}

/// Listens for connections at `path`. A path that nobody serves any more is replaced.
#[cfg(feature = "admin")]
pub(crate) fn listen(path: &Path) -> Result<(OwnPath, UnixListener), AddrError> {
    /// How many connections may wait.
    const BACKLOG: i32 = 128;

    let name = name(path)?;
    let failed = |error| AddrError::caused(format!("cannot bind {}", shown(path)), error);
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    match socket.bind(&name) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => replace(&socket, &name, path),
        bound => bound,
    }
    .map_err(|error| explained(path, error))?;
    let own = OwnPath::new(path).map_err(failed)?;
    socket.listen(BACKLOG).map_err(failed)?;
    Ok((own, std::os::fd::OwnedFd::from(socket).into()))
}

/// Creates a non-blocking socket.
fn open(binding: Binding) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    set_buffers(&socket, binding.buffers);
    if binding.credentials {
        recv_credentials(&socket)?;
    }
    Ok(socket)
}

fn into_std(socket: Socket) -> UnixDatagram {
    std::os::fd::OwnedFd::from(socket).into()
}

/// Makes the kernel report the credentials of each sender.
pub(crate) fn recv_credentials(socket: &Socket) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    return socket
        .set_passcred(true)
        .map_err(|error| OptionError::refused("recv_credentials", &error).into());
    #[cfg(not(target_os = "linux"))]
    {
        let _ = socket;
        Err(OptionError::unsupported("recv_credentials", "needs Linux").into())
    }
}

/// The name of `path` for the kernel.
///
/// # Errors
///
/// Fails with `InvalidInput` if no socket can have that name.
pub(super) fn name(path: &Path) -> Result<SockAddr, AddrError> {
    const LINUX: bool = cfg!(any(target_os = "android", target_os = "linux"));
    const PLACES: usize = size_of::<libc::sockaddr_un>() - kernel::unix::PATH;

    let bytes = path.as_os_str().as_bytes();
    let refused = |problem: String| {
        let problem = format!("cannot use {} as the name of a socket: {problem}", shown(path));
        Err(AddrError::refused(problem, io::ErrorKind::InvalidInput))
    };
    let (kind, most) = match bytes {
        [] | [0, ..] if !LINUX => {
            return refused("abstract names need Linux".to_owned());
        }
        [0, ..] => ("name", PLACES),
        _ if bytes.contains(&0) => return refused("it contains a zero byte".to_owned()),
        _ => ("path", PLACES - 1),
    };
    if bytes.len() > most {
        return refused(format!("the {kind} is {} bytes, the limit is {most}", bytes.len()));
    }
    SockAddr::unix(path)
        .map_err(|error| AddrError::caused(format!("cannot use {}", shown(path)), error))
}

/// The text of a path in messages.
pub(super) fn shown(path: &Path) -> String {
    match path.as_os_str().as_bytes() {
        [] => "an abstract name of the kernel's choice".to_owned(),
        bytes => Addr(Repr::Rare(Rare::Unix(UnixName::Named(bytes.into())))).to_string(),
    }
}

/// Adds the reason to an error of the kernel.
fn explained(path: &Path, error: io::Error) -> AddrError {
    let parent = directory(path);
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => at(path).map(|kind| format!("{kind} is at that path")),
        io::ErrorKind::NotFound => Some(format!("there is no directory {}", shown(parent))),
        io::ErrorKind::NotADirectory => Some(format!("{} is not a directory", shown(parent))),
        io::ErrorKind::WouldBlock => {
            Some(format!("another program has locked the directory {}", shown(parent)))
        }
        io::ErrorKind::PermissionDenied => {
            Some(format!("no permission to create a file in {}", shown(parent)))
        }
        _ => None,
    };
    let hint = hint.map(|hint| format!(": {hint}")).unwrap_or_default();
    AddrError::caused(format!("cannot bind {}{hint}", shown(path)), error)
}

/// The directory of `path`.
fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Says what exists at `path`.
fn at(path: &Path) -> Option<&'static str> {
    let kind = fs::symlink_metadata(path).ok()?.file_type();
    Some(if kind.is_dir() {
        "a directory"
    } else if kind.is_file() {
        "a regular file"
    } else if kind.is_symlink() {
        "a symbolic link"
    } else if !kind.is_socket() {
        "a file that is not a socket"
    } else if is_stale(path) {
        "a socket that nobody serves, which `replace_stale(true)` would replace,"
    } else {
        "a socket that is in use"
    })
}

/// Whether the socket at `path` belongs to no process. The kernel refuses to connect to such a socket; for a
/// socket of another type that is in use it returns another error.
fn is_stale(path: &Path) -> bool {
    let connect = || Socket::new(Domain::UNIX, Type::DGRAM, None)?.connect(&SockAddr::unix(path)?);
    connect().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Replaces the socket at `path` with `socket`, if nobody serves it.
fn replace(socket: &Socket, name: &SockAddr, path: &Path) -> io::Result<()> {
    let in_use = || io::Error::from_raw_os_error(libc::EADDRINUSE);
    if !fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
        return Err(in_use());
    }
    // Two programs that start at the same time must not replace each other's new socket. The lock ends when
    // the directory is closed.
    let locked = File::open(directory(path))?;
    lock(&locked, path)?;
    let stale = FileId::at(path)?;
    if !is_stale(path) || FileId::at(path)? != stale {
        return Err(in_use());
    }
    fs::remove_file(path)?;
    socket.bind(name)
}

/// Locks the directory of a stale socket. Other programs have the lock only while they replace a socket in that
/// directory, perhaps one at another path, so it waits a moment. It fails if the socket is not stale any more.
///
/// It blocks the thread, as all calls that bind do. A program that replaces a socket needs microseconds; only one
/// that keeps the directory locked makes this wait the whole quarter of a second.
fn lock(directory: &File, path: &Path) -> io::Result<()> {
    const MOST_TRIES: usize = 250;
    const PAUSE: Duration = Duration::from_millis(1);

    let mut tries = 0;
    loop {
        match kernel::unix::lock(directory.as_fd()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && tries < MOST_TRIES => {}
            locked => return locked,
        }
        if !is_stale(path) {
            return Err(io::Error::from_raw_os_error(libc::EADDRINUSE));
        }
        tries += 1;
        sleep(PAUSE);
    }
}

/// Sets the permissions that the path gets when the socket is bound, so that they are never wider.
#[cfg(any(target_os = "android", target_os = "linux"))]
fn set_mode(socket: &Socket, mode: u32) -> io::Result<()> {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    File::from(socket.as_fd().try_clone_to_owned()?).set_permissions(Permissions::from_mode(mode))
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn set_mode(_: &Socket, _: u32) -> io::Result<()> {
    let problem = "needs Linux; put the socket into a directory with the permissions that you want";
    Err(OptionError::unsupported("mode", problem).into())
}

/// Sets the permissions of a path that was just bound. It does not follow a symbolic link that somebody else
/// may have put there.
#[cfg(any(target_os = "android", target_os = "linux"))]
fn widen(path: &Path, mode: u32) -> io::Result<()> {
    use std::{
        fs::Permissions,
        os::{
            fd::AsRawFd,
            unix::fs::{OpenOptionsExt, PermissionsExt},
        },
    };

    let is_done = |file: &fs::Metadata| file.permissions().mode() & 0o7777 == mode & 0o7777;
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_NOFOLLOW)
        .open(path)?;
    let now = file.metadata()?;
    if is_done(&now) || !now.file_type().is_socket() {
        return Ok(());
    }
    let same = format!("/proc/self/fd/{}", file.as_raw_fd());
    fs::set_permissions(same, Permissions::from_mode(mode))
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn widen(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}
