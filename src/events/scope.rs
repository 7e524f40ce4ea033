//! The tracing span of a conversation.

use std::{fmt, mem::ManuallyDrop};

use tracing::{Dispatch, Span, level_filters::LevelFilter, span::Id};

use crate::{Addr, panic};

/// A span of a subscriber. Panics of the subscriber are caught, and the code in the span runs anyway.
///
/// Most servers have no subscriber that wants the span. So a `Scope` is as small as a pointer, and dropping
/// an empty one makes no call. That is why it is a `ManuallyDrop`, which the compiler does not drop.
pub(crate) struct Scope(ManuallyDrop<Option<Box<Span>>>);

impl Scope {
    const NONE: Self = Self(ManuallyDrop::new(None));

    /// The span that is current.
    pub(crate) fn current() -> Self {
        Self::of(Span::current)
    }

    /// The span of a conversation with `peer`, below this one.
    #[inline(always)]
    pub(crate) fn conversation(&self, peer: &Addr) -> Self {
        if LevelFilter::current() < LevelFilter::INFO {
            return Self::NONE;
        }
        self.below(peer)
    }

    #[cold]
    fn below(&self, peer: &Addr) -> Self {
        let parent = || self.0.as_ref().and_then(|span| span.id());
        Self::of(|| tracing::info_span!(parent: parent(), "conversation", %peer))
    }

    fn of(span: impl FnOnce() -> Span) -> Self {
        let span = panic::catch(span).ok().filter(|span| !span.is_disabled());
        Self(ManuallyDrop::new(span.map(Box::new)))
    }

    /// Runs `f` in this span.
    #[inline(always)]
    pub(crate) fn run<T>(&self, f: impl FnOnce() -> T) -> T {
        let _entered = Entered::new(self.0.as_deref());
        f()
    }

    #[cold]
    fn close(&mut self) {
        // This may run during a panic, and a second panic would abort the process.
        let _ = panic::catch(|| *self.0 = None);
    }
}

impl Drop for Scope {
    #[inline(always)]
    fn drop(&mut self) {
        if self.0.is_some() {
            self.close();
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scope").finish_non_exhaustive()
    }
}

/// Enters a span, if there is one, until it is dropped. It exits the span even if the subscriber panicked on
/// enter, because one of several layers may have entered it before the panic.
struct Entered<'a>(Option<&'a Span>);

impl<'a> Entered<'a> {
    #[inline(always)]
    fn new(span: Option<&'a Span>) -> Self {
        if let Some(span) = span {
            tell(span, Dispatch::enter);
        }
        Self(span)
    }
}

impl Drop for Entered<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(span) = self.0 {
            tell(span, Dispatch::exit);
        }
    }
}

#[cold]
fn tell(span: &Span, what: impl FnOnce(&Dispatch, &Id)) {
    let _ = panic::catch(|| span.with_subscriber(|(id, subscriber)| what(subscriber, id)));
}
