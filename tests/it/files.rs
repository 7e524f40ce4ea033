//! Child processes that hold no socket of the tests beside them.

use std::thread;

/// Runs `start`, which starts child processes, on a thread that has no files of this process.
///
/// Until a child process runs its program, it holds copies of the files of its thread. Other tests in this
/// process require that the port of a closed socket is free at once.
#[track_caller]
pub(crate) fn without_files<T: Send>(start: impl FnOnce() -> T + Send) -> T {
    let started = thread::scope(|scope| {
        let thread = scope.spawn(|| {
            close_all();
            start()
        });
        thread.join()
    });
    started.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(target_os = "linux")]
fn close_all() {
    let (first, last) = (3, libc::c_uint::MAX);
    // SAFETY: it takes no pointer. This thread opens its files after the call, and uses no file of another
    // thread.
    #[allow(unsafe_code)]
    let closed = unsafe {
        libc::syscall(libc::SYS_close_range, first, last, libc::CLOSE_RANGE_UNSHARE as libc::c_uint)
    };
    assert_eq!(closed, 0, "{}", std::io::Error::last_os_error());
}

#[cfg(not(target_os = "linux"))]
fn close_all() {}
