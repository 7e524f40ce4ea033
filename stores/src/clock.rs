//! Times that are further away than an `Instant` can say.

use std::time::Duration;

use tokio::time::Instant;

/// Stands for a time that is too far away: 30 years.
const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Returns the time after a span of any length.
pub(crate) fn later(from: Instant, span: Duration) -> Instant {
    from.checked_add(span).unwrap_or_else(|| from + FAR)
}
