//! A timer that is set to another time again and again.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep, sleep_until};

/// Wakes the worker at a time. It resets one timer, which is cheaper than a new timer each time.
#[derive(Debug, Default)]
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Completes at `time`.
    pub(super) fn poll(&mut self, time: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(time)));
        if timer.deadline() != time {
            timer.as_mut().reset(time);
        }
        timer.as_mut().poll(cx)
    }
}
