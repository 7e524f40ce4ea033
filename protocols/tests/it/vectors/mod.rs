//! Published test vectors for formats, with their expected results.
//!
//! Tables of representative vectors are here and always run. The complete sets are not here, because their
//! sizes and licences differ. They are read from the folder in the environment variable `DATAGRAMMAR_VECTORS`.
//! Each test of a set asserts how many vectors it has tried, so that it cannot pass without any.

mod any;
mod cbor;
mod cbor_working_group;
mod integers;
mod item;
mod json;
mod json_values;
mod msgpack;
mod msgpack_types;
mod sealed;
mod signed;

use std::{
    env, fs,
    io::{Write, stderr},
    path::{Path, PathBuf},
    sync::LazyLock,
};

use datagrammar_protocols::DatagramProtocol;
use serde::de::DeserializeOwned;

/// The folder of the sets, if there is one.
fn sets() -> Option<&'static Path> {
    static SETS: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let Some(folder) = env::var_os("DATAGRAMMAR_VECTORS") else {
            // Written to stderr directly, because the test harness hides the prints of a test that passes.
            let _ = writeln!(stderr(), "DATAGRAMMAR_VECTORS names no folder: no published sets");
            return None;
        };
        let folder = PathBuf::from(folder);
        assert!(folder.is_dir(), "DATAGRAMMAR_VECTORS is not a folder");
        Some(folder)
    });
    SETS.as_deref()
}

fn file(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json_file<T: DeserializeOwned>(path: &Path) -> T {
    serde_json::from_slice(&file(path)).expect("the file has the format of the set")
}

/// The names and contents of the files in a folder, sorted by name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), file(&path)))
        .collect();
    files.sort();
    files
}

/// The bytes written in hexadecimal; other characters are skipped.
fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

/// Reads the datagram; `what` names it in a failure.
#[track_caller]
fn read<P: DatagramProtocol>(protocol: &P, datagram: &[u8], what: &str) -> P::Incoming {
    protocol.decode(datagram).unwrap_or_else(|error| panic!("{what} is refused: {error}"))
}

#[track_caller]
fn refused<P: DatagramProtocol>(protocol: &P, datagram: &[u8], what: &str) {
    assert!(protocol.decode(datagram).is_err(), "{what} is read");
}

/// Runs `test` on a stack that is large enough for nesting beyond the default limit.
fn on_a_large_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(64 * 1024 * 1024).spawn(test);
    thread.expect("a thread can be started").join().expect("the test passes");
}
