//! Catches panics of the user's code and turns them into errors.

use std::{
    any::Any,
    error::Error,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

/// A panic that was caught, with its text.
#[derive(Debug)]
pub(crate) struct Panicked(String);

impl Panicked {
    pub(crate) fn new(payload: Box<dyn Any + Send>) -> Self {
        let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(text), _) => format!("panicked: {text}"),
            (_, Some(text)) => format!("panicked: {text}"),
            _ => "panicked with a payload that is not text".to_owned(),
        };
        // A payload may panic when it is dropped, and so may the payload of that panic. The second one is
        // leaked.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
        Self(text)
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Panicked {}

/// Polls `future`, and catches a panic. After a panic it must not be polled again.
pub(crate) fn poll<F: Future + ?Sized>(
    future: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, Panicked>> {
    match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(payload) => Poll::Ready(Err(Panicked::new(payload))),
    }
}

/// Runs `f`, and catches a panic. After a panic the data that `f` was changing must not be used again.
pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(f)).map_err(Panicked::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    // H-3
    #[test]
    fn the_text_of_a_panic_is_kept_whatever_its_payload() {
        let text = |payload: Box<dyn Any + Send>| Panicked::new(payload).to_string();

        assert_eq!(text(Box::new("static")), "panicked: static");
        assert_eq!(text(Box::new("made".to_owned())), "panicked: made");
        assert_eq!(text(Box::new(42)), "panicked with a payload that is not text");
    }
}
