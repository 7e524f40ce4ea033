//! What a request asks for: which file, with which options.

use std::{
    io,
    path::{Component, Path, PathBuf},
};

use tokio::{
    fs::{self, File},
    io::BufStream,
    time::Duration,
};

use super::packet::{ErrorCode, Packet, Request};

/// Larger datagrams would be fragmented on an Ethernet: 1,500 bytes without the headers of IP, UDP and TFTP.
const MAX_BLOCK_SIZE: usize = 1_468;

/// A transfer that the server has agreed to.
pub(crate) struct Job {
    pub(crate) file: BufStream<File>,
    pub(crate) direction: Direction,
    pub(crate) block_size: usize,
    /// Whether the last block of the file was read.
    pub(crate) is_last: bool,
    /// After this time the first packet that is not answered is repeated, if the client has chosen it.
    pub(crate) timeout: Option<Duration>,
    pub(crate) options: Vec<(String, String)>,
}

pub(crate) enum Direction {
    Read,
    Write { partial: Partial, max_len: u64 },
}

/// The file of an upload that is not complete. It is removed however the transfer ends.
pub(crate) struct Partial(Option<PathBuf>);

impl Partial {
    pub(crate) fn is_complete(&mut self) {
        self.0 = None;
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if let Some(path) = self.0.take()
            && let Err(error) = std::fs::remove_file(&path)
        {
            eprintln!("tftp: cannot remove {}: {error}", path.display());
        }
    }
}

impl Job {
    /// Opens the file that the client asks for. If that is not possible, returns the answer.
    pub(crate) async fn open(root: &Path, max_len: u64, packet: &Packet) -> Result<Self, Packet> {
        let (request, writes) = match packet {
            Packet::Read(request) => (request, false),
            Packet::Write(request) => (request, true),
            _ => return Err(Packet::error(ErrorCode::ILLEGAL, "a transfer begins with a request")),
        };
        match request.mode.as_str() {
            "octet" => {}
            "netascii" => {
                let message = "netascii is not supported, use octet (binary)";
                return Err(Packet::error(ErrorCode::UNDEFINED, message));
            }
            _ => return Err(Packet::error(ErrorCode::ILLEGAL, "unknown mode")),
        }
        let path = path_inside(root, &request.file).await?;
        let (file, direction, len) = if writes {
            if request.announced().is_some_and(|announced| announced > max_len) {
                return Err(too_large());
            }
            let file = File::create_new(&path).await.map_err(|error| refusal(&error))?;
            (file, Direction::Write { partial: Partial(Some(path)), max_len }, None)
        } else {
            let file = File::open(&path).await.map_err(|error| refusal(&error))?;
            let len = file.metadata().await.map_err(|error| refusal(&error))?.len();
            (file, Direction::Read, Some(len))
        };
        let mut job = Self {
            file: BufStream::new(file),
            direction,
            block_size: 512,
            is_last: false,
            timeout: None,
            options: Vec::new(),
        };
        job.negotiate(request, len);
        Ok(job)
    }

    /// Keeps the options that it knows and whose values are valid. The client sees which ones these are.
    fn negotiate(&mut self, request: &Request, len: Option<u64>) {
        for (name, value) in &request.options {
            let Ok(number) = value.parse::<u64>() else { continue };
            let accepted = match (name.as_str(), number) {
                ("blksize", 8..=65_464) => {
                    self.block_size = MAX_BLOCK_SIZE.min(number as usize);
                    self.block_size as u64
                }
                ("timeout", 1..=255) => {
                    self.timeout = Some(Duration::from_secs(number));
                    number
                }
                ("tsize", _) => len.unwrap_or(number),
                _ => continue,
            };
            self.options.push((name.clone(), accepted.to_string()));
        }
    }
}

impl Request {
    /// The size that the client announces for an upload.
    fn announced(&self) -> Option<u64> {
        self.options.iter().find(|(name, _)| name == "tsize")?.1.parse().ok()
    }
}

/// Returns the path of a file in the directory, also behind symbolic links. A file to write does not exist yet, so its
/// folder is checked.
async fn path_inside(root: &Path, name: &str) -> Result<PathBuf, Packet> {
    let outside = || Packet::error(ErrorCode::ACCESS_VIOLATION, "not in the directory");
    // The directory is the root for clients that name files like "/boot/kernel".
    let name = Path::new(name.trim_start_matches('/'));
    let is_normal = |part| matches!(part, Component::Normal(_));
    let Some(last) = name.file_name().filter(|_| name.components().all(is_normal)) else {
        return Err(outside());
    };
    let path = root.join(name);
    let folder = path.parent().unwrap_or(root);
    let folder = fs::canonicalize(folder).await.map_err(|error| refusal(&error))?;
    let path = match fs::canonicalize(&path).await {
        Ok(path) => path,
        // A link to a file that does not exist is refused by `create_new`.
        Err(error) if error.kind() == io::ErrorKind::NotFound => folder.join(last),
        Err(error) => return Err(refusal(&error)),
    };
    if !folder.starts_with(root) || !path.starts_with(root) {
        return Err(outside());
    }
    // Nothing but files is opened: for example, to open a pipe would wait for its other end.
    match fs::metadata(&path).await {
        Ok(metadata) if !metadata.is_file() => {
            Err(Packet::error(ErrorCode::ACCESS_VIOLATION, "not a file"))
        }
        _ => Ok(path),
    }
}

pub(crate) fn too_large() -> Packet {
    Packet::error(ErrorCode::DISK_FULL, "the file is too large")
}

/// The answer to an error of the file system.
pub(crate) fn refusal(error: &io::Error) -> Packet {
    match error.kind() {
        io::ErrorKind::NotFound => Packet::error(ErrorCode::NOT_FOUND, "file not found"),
        io::ErrorKind::PermissionDenied => {
            Packet::error(ErrorCode::ACCESS_VIOLATION, "permission denied")
        }
        io::ErrorKind::AlreadyExists => Packet::error(ErrorCode::EXISTS, "file already exists"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Packet::error(ErrorCode::DISK_FULL, "disk full")
        }
        _ => Packet::error(ErrorCode::UNDEFINED, "the file could not be read or written"),
    }
}
