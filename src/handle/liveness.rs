//! Whether the workers of a server get on.

use std::{fmt, time::Duration};

use tokio::time::{Instant, sleep};

use super::ServerHandle;
use crate::{Addr, socket::pulse::Beat};

/// A worker whose loop does not turn; an element of what [`ServerHandle::blocked_workers`] returns.
///
/// `Display` names the worker, and says what blocks it:
///
/// ```text
/// worker 1 of 2 at 0.0.0.0:9000: a handler has blocked it for 1.0 s
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedWorker {
    addr: Addr,
    number: usize,
    of: usize,
    in_handler: bool,
    time: Duration,
}

impl BlockedWorker {
    /// Returns the address that the worker serves.
    #[must_use]
    pub const fn local_addr(&self) -> &Addr {
        &self.addr
    }

    /// Returns the number of the worker, from 1, among those that serve the same address.
    #[must_use]
    pub const fn number(&self) -> usize {
        self.number
    }

    /// Returns whether a handler blocks it: the worker has called a handler that has not returned, or not reached its
    /// first `await` that waits. If not, the runtime does not run the worker: other tasks block its
    /// threads, or the machine is overloaded.
    #[must_use]
    pub const fn is_in_handler(&self) -> bool {
        self.in_handler
    }
}

impl fmt::Display for BlockedWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { addr, number, of, in_handler, time } = self;
        let seconds = time.as_secs_f64();
        write!(f, "worker {number} of {of} at {addr}: ")?;
        if *in_handler {
            write!(f, "a handler has blocked it for {seconds:.1} s")
        } else {
            write!(f, "its runtime has not run it for {seconds:.1} s")
        }
    }
}

impl ServerHandle {
    /// Wakes all workers of the server, and returns those that do not run within `within`. It returns at once when all
    /// have run. If the server does not serve, the list is empty.
    ///
    /// A worker receives the datagrams of one socket, and calls handlers. While a handler blocks its thread, for example
    /// in a computation or in `std::thread::sleep`, the worker receives nothing. Its peers wait then, or lose datagrams.
    ///
    /// If the runtime of the caller is that of the workers, a blocked handler may block this call too. To notice that from
    /// outside, call it from another runtime, as the endpoint of the feature `admin` does.
    ///
    /// Until it is called, it costs a worker a few stores per turn. A call costs one turn of each loop.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime, if it has to wait. Time must be enabled in the runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Server, Text};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let server = Server::bind("127.0.0.1:0", Text, async |text: String| text).await?;
    /// let handle = server.handle();
    /// let serving = server.spawn();
    /// assert!(handle.ready().await);
    ///
    /// for worker in handle.blocked_workers(Duration::from_secs(1)).await {
    ///     println!("{worker}");
    /// }
    /// # assert!(handle.blocked_workers(Duration::from_secs(1)).await.is_empty());
    /// handle.shutdown().await;
    /// serving.await??;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "liveness")]
    #[doc(alias = "watchdog")]
    pub async fn blocked_workers(&self, within: Duration) -> Vec<BlockedWorker> {
        const SHORTEST: Duration = Duration::from_millis(1);
        const LONGEST: Duration = Duration::from_millis(50);

        let mut silent = self.watch.wake_workers();
        let begun = Instant::now();
        let mut pause = SHORTEST;
        loop {
            silent.retain(|&worker| self.watch.is_still(worker));
            let waited = begun.elapsed();
            if silent.is_empty() || waited >= within {
                break;
            }
            sleep(pause.min(within - waited)).await;
            pause = (2 * pause).min(LONGEST);
        }
        let time = begun.elapsed();
        silent.into_iter().filter_map(|worker| self.blocked_worker(worker, time)).collect()
    }

    fn blocked_worker(
        &self,
        (place, beat): (usize, Beat),
        time: Duration,
    ) -> Option<BlockedWorker> {
        let (addr, number, of) = self.watch.worker(place)?;
        Some(BlockedWorker { addr, number, of, in_handler: beat.works(), time })
    }
}
