//! What others have published to try formats with, by their verdicts.
//!
//! Tables of what is representative are here and always run. The sets themselves are not, as their sizes
//! and licences differ: they are read from the folder that the environment variable `DATAGRAMMAR_VECTORS`
//! names. Each test of a set holds how many vectors it has tried, so that it cannot try none.

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
            // Past the capture of the test harness, which swallows what is printed by a test that passes.
            let _ = writeln!(stderr(), "DATAGRAMMAR_VECTORS names no folder: no published sets");
            return None;
        };
        let folder = PathBuf::from(folder);
        assert!(folder.is_dir(), "DATAGRAMMAR_VECTORS names a folder");
        Some(folder)
    });
    SETS.as_deref()
}

fn file(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json_file<T: DeserializeOwned>(path: &Path) -> T {
    serde_json::from_slice(&file(path)).expect("it has the shape of the set")
}

/// The names of the files of a folder and what is in them, sorted.
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

/// The bytes written in hexadecimal; what is no digit is passed over.
fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

/// Reads or refuses the datagram; `what` tells which one it was.
#[track_caller]
fn read<P: DatagramProtocol>(protocol: &P, datagram: &[u8], what: &str) -> P::Incoming {
    protocol.decode(datagram).unwrap_or_else(|error| panic!("{what} is refused: {error}"))
}

#[track_caller]
fn refused<P: DatagramProtocol>(protocol: &P, datagram: &[u8], what: &str) {
    assert!(protocol.decode(datagram).is_err(), "{what} is read");
}

/// Runs `test` with room for what is nested deeper than a datagram may be by default.
fn on_a_large_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(64 * 1024 * 1024).spawn(test);
    thread.expect("a thread can be started").join().expect("the test passes");
}
