//! Tells systemd the state of a server: for services with `Type=notify`.
//!
//! [`notify`] runs beside serving. In the unit of the service, `Type=notify` makes systemd wait until the server
//! serves, and `WatchdogSec=` restarts the service when its runtime hangs. For sockets that systemd binds, see
//! [`Inherited`](crate::Inherited).
//!
//! # Examples
//!
//! ```no_run
//! use datagrammar::{BoxError, Inherited, Server, Text, systemd};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), BoxError> {
//!     let server = Server::bind(Inherited::all(), Text, async |text: String| text).await?;
//!     let serving = server.serve_until(tokio::signal::ctrl_c());
//!     Ok(systemd::notify(server.handle(), serving).await?)
//! }
//! ```

use std::{
    convert::Infallible,
    env,
    future::pending,
    pin::pin,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use sd_notify::NotifyState;
use tokio::{
    task::spawn_blocking,
    time::{sleep, timeout},
};

use crate::{ServerHandle, events};

/// How long the end of the program waits for systemd. If systemd does not read, sending to it blocks.
const LONGEST: Duration = Duration::from_secs(1);

/// Awaits `serving`, and tells systemd the state of the server: `READY=1` when it serves, and `STOPPING=1` when
/// it begins to stop. A [lame duck](crate::ServerHandle::begin_lame_duck) serves, and does not stop yet: after
/// `STOPPING=1`, systemd waits for the end of the process no longer than `TimeoutStopSec=`. If the unit has `WatchdogSec=`, it also sends `WATCHDOG=1` at half of that interval, from
/// `READY=1` until `serving` completes. It returns the output of `serving`.
///
/// `serving` is usually the future of [`Server::serve_until`](crate::Server::serve_until), or the task of
/// [`Server::spawn`](crate::Server::spawn). It may be more: then the service stops when all of it has ended.
/// systemd learns of the first serving only, so if the program serves several times, call this once, around
/// all of them. If the server never serves, systemd is told nothing.
///
/// The watchdog shows that the runtime still polls this future. It does not show that handlers get on.
///
/// Without `NOTIFY_SOCKET` in the environment this only awaits `serving`. If systemd cannot be told, this is
/// logged at WARN, once, and serving goes on. The environment stays as it is.
///
/// # Panics
///
/// Panics outside a tokio runtime. Time must be enabled in the runtime.
///
/// # Cancel safety
///
/// The same as that of `serving`.
///
/// # Examples
///
/// ```
/// use datagrammar::{Server, Text, systemd};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let server = Server::bind("127.0.0.1:0", Text, async |text: String| text).await?;
/// let handle = server.handle();
/// let stop = async { assert!(handle.ready().await) };
///
/// systemd::notify(server.handle(), server.serve_until(stop)).await?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "sd_notify")]
#[doc(alias = "watchdog")]
pub async fn notify<T>(server: ServerHandle, serving: impl Future<Output = T>) -> T {
    if env::var_os("NOTIFY_SOCKET").is_none() {
        return serving.await;
    }
    let manager = Manager::default();
    let (mut serving, mut telling) = (pin!(serving), pin!(manager.tell(&server)));
    let output = tokio::select! {
        biased;
        output = serving.as_mut() => output,
        () = telling.as_mut() => return tokio::select! {
            biased;
            output = serving => output,
            never = manager.watchdog() => match never {},
        },
    };
    if manager.has_served.load(Relaxed) {
        // The program may end after this.
        let _ = timeout(LONGEST, telling).await;
    }
    output
}

/// systemd, as the process that started this one.
#[derive(Default)]
struct Manager {
    has_served: AtomicBool,
    /// Whether an error was logged.
    has_failed: AtomicBool,
}

impl Manager {
    /// Completes when systemd was told that the server stops.
    async fn tell(&self, server: &ServerHandle) {
        if !server.serving().await {
            return pending().await;
        }
        self.has_served.store(true, Relaxed);
        self.send(NotifyState::Ready).await;
        tokio::select! {
            () = server.stopping() => {}
            never = self.watchdog() => match never {},
        }
        self.send(NotifyState::Stopping).await;
    }

    async fn watchdog(&self) -> Infallible {
        let Some(interval) = sd_notify::watchdog_enabled().filter(|interval| !interval.is_zero())
        else {
            return pending().await;
        };
        loop {
            sleep(interval / 2).await;
            self.send(NotifyState::Watchdog).await;
        }
    }

    async fn send(&self, state: NotifyState<'static>) {
        let name = state.to_string();
        // It blocks while the queue of the socket is full.
        let sent = spawn_blocking(move || sd_notify::notify(&[state])).await;
        if let Ok(Err(error)) = sent
            && !self.has_failed.swap(true, Relaxed)
        {
            events::systemd_not_told(&name, &error);
        }
    }
}
