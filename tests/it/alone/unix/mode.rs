//! Which permissions the path of a server has.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    thread,
};

use datagrammar::{Client, Text, Unix};

use super::runtime;
use crate::{alone::alone, support::temporary_path, unix::bind};

#[allow(unsafe_code, reason = "no dependency sets the umask")]
fn set_umask(mask: libc::mode_t) {
    // SAFETY: it takes no pointer, and no other test runs in this process.
    unsafe { libc::umask(mask) };
}

fn permissions(path: &Path) -> Option<u32> {
    fs::symlink_metadata(path).ok().map(|file| file.permissions().mode() & 0o7777)
}

// U-5
#[test]
fn the_path_has_the_mode_whatever_the_umask_is() {
    alone(|| {
        runtime().block_on(async {
            for umask in [0o022, 0o077, 0, 0o777] {
                set_umask(umask);
                for mode in [0o600, 0o666, 0o777, 0o660, 0] {
                    let path = temporary_path();
                    let server = bind(Unix::new(&path).mode(mode)).unwrap();
                    assert_eq!(permissions(&path), Some(mode), "umask {umask:o}");

                    let local = temporary_path();
                    let unix = Unix::new(&path).local_addr(&local).mode(mode);
                    let client = Client::connect(unix, Text).await;
                    // Only root can connect to a socket that it may not write to.
                    let may_write = mode & 0o200 != 0;
                    if let Ok(client) = client {
                        assert_eq!(permissions(&local), Some(mode), "umask {umask:o}");
                        drop(client);
                    } else {
                        assert!(!may_write, "{client:?}");
                    }
                    drop(server);
                }
                let path = temporary_path();
                let server = bind(Unix::new(&path)).unwrap();
                assert_eq!(permissions(&path), Some(0o777 & !umask), "umask {umask:o}");
                drop(server);
            }
        });
    });
}

// U-5
#[test]
fn the_path_never_has_a_wider_mode() {
    alone(|| {
        set_umask(0);
        let runtime = runtime();
        let _entered = runtime.enter();
        let path = temporary_path();
        let (seen, observed, over) = (AtomicU32::new(0), AtomicU32::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(SeqCst) {
                    if let Some(mode) = permissions(&path) {
                        seen.fetch_or(mode, SeqCst);
                        observed.fetch_add(1, SeqCst);
                    }
                }
            });
            // Until the other thread has looked often enough, however slow it is.
            let mut bound = 0;
            while observed.load(SeqCst) < 1_000 || bound < 1_000 {
                drop(bind(Unix::new(&path).mode(0o600)).unwrap());
                bound += 1;
            }
            over.store(true, SeqCst);
        });
        assert_eq!(format!("{:o}", seen.into_inner()), "600");
    });
}
