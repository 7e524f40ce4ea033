use std::fmt;

use tracing::{Span, level_filters::LevelFilter, span};

use crate::{PeerAddr, panic};

/// A span of a subscriber that may panic whatever it is told: that goes no further, and what is done in
/// the span is done all the same.
pub(crate) struct Scope(Option<Span>);

impl Scope {
    const NONE: Self = Self(None);

    /// The span that is current.
    pub(crate) fn current() -> Self {
        Self::of(Span::current)
    }

    /// The span of a conversation with `peer`, below this one.
    #[inline(always)]
    pub(crate) fn conversation(&self, peer: &PeerAddr) -> Self {
        if LevelFilter::current() < LevelFilter::INFO {
            return Self::NONE;
        }
        let parent = || self.0.as_ref().and_then(Span::id);
        Self::of(|| tracing::info_span!(parent: parent(), "conversation", %peer))
    }

    fn of(span: impl FnOnce() -> Span) -> Self {
        // One that is disabled is kept too: `tracing` may tell it to the crate `log`.
        Self(panic::catch(span).ok().filter(|span| !span.is_none()))
    }

    /// Runs `f` in this span.
    #[inline]
    pub(crate) fn run<T>(&self, f: impl FnOnce() -> T) -> T {
        let _entered = self.0.as_ref().map(Entered::new);
        f()
    }
}

impl Drop for Scope {
    #[inline]
    fn drop(&mut self) {
        if let Some(span) = self.0.take() {
            // It may be dropped because of a panic, and a second one would be the end of the process.
            let _ = panic::catch(|| drop(span));
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scope").finish_non_exhaustive()
    }
}

/// As long as it lives, a span is entered.
struct Entered<'a> {
    span: &'a Span,
    /// Unless the subscriber has panicked. It may have entered the span before that.
    entered: Option<span::Entered<'a>>,
}

impl<'a> Entered<'a> {
    fn new(span: &'a Span) -> Self {
        Self { span, entered: panic::catch(|| span.enter()).ok() }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let _ = panic::catch(|| match self.entered.take() {
            Some(entered) => drop(entered),
            None => drop(self.span.with_subscriber(|(id, subscriber)| subscriber.exit(id))),
        });
    }
}
