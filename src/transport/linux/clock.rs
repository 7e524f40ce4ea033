//! When datagrams arrived, as the kernel reports it.

use std::{
    os::fd::AsFd,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{net::UdpSocket, time::Instant};

use crate::{limits::LiveLimits, queue_time::Stamp, transport::kernel::mmsg};

/// Makes the kernel report times of arrival, which are those of the wall clock.
#[derive(Debug)]
pub(super) struct Clock {
    limits: Arc<LiveLimits>,
    /// Whether the caller wanted these reports before, so that they stay.
    stays: bool,
}

impl Clock {
    /// Starts the reports; `None` if the kernel refuses.
    pub(super) fn start(socket: &UdpSocket, limits: &Arc<LiveLimits>) -> Option<Self> {
        let (fd, option) = (socket.as_fd(), libc::SO_TIMESTAMPNS);
        let stays = mmsg::option(fd, libc::SOL_SOCKET, option).ok()? != 0;
        mmsg::enable(fd, libc::SOL_SOCKET, option).ok()?;
        Some(Self { limits: Arc::clone(limits), stays })
    }

    pub(super) fn stop(&self, socket: &UdpSocket) {
        if !self.stays {
            // If that fails, the reports are ignored.
            let _ = mmsg::disable(socket.as_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS);
        }
    }

    /// The time of a system call that has just received.
    pub(super) fn read(&self) -> Read {
        let now = self.limits.queue_time().stamp(Instant::now());
        Read {
            now,
            wall: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default(),
        }
    }
}

/// The time of a system call, by both clocks.
#[derive(Debug)]
pub(super) struct Read {
    now: Stamp,
    wall: Duration,
}

impl Read {
    /// The stamp of a datagram that arrived at this time of the wall clock. If that clock was set meanwhile, it is wrong.
    pub(super) fn stamp(&self, arrived: Duration) -> Stamp {
        self.now.earlier(self.wall.saturating_sub(arrived))
    }
}
