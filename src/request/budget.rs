//! A budget for repetitions, so that many clients do not overload a server that has just come back.

use std::sync::Mutex;

use tokio::time::Instant;

use crate::lock::locked;

/// How many repetitions a [`RequestClient`](crate::RequestClient) may send: a part of its requests, and some per
/// second.
///
/// Each request adds to the budget, and each repetition takes one from it. An empty budget ends the request with
/// [`RetryBudgetExhausted`](crate::RequestError::RetryBudgetExhausted). So when a server fails, the load on it
/// rises by that part only. The budget holds what ten seconds bring.
///
/// # Examples
///
/// ```
/// use datagrammar::{RequestClient, RetryBudget, Tagged, Text};
///
/// let client = RequestClient::builder(Tagged::new(Text)).retry_budget(RetryBudget::default());
/// # drop(client);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryBudget {
    ratio: f64,
    per_second: f64,
}

impl RetryBudget {
    /// Makes a budget of `ratio` repetitions for each request, and `per_second` more.
    ///
    /// # Panics
    ///
    /// Panics if one of the numbers is negative or not finite.
    #[must_use]
    pub fn new(ratio: f64, per_second: f64) -> Self {
        let valid = |number: f64| number.is_finite() && number >= 0.0;
        assert!(valid(ratio) && valid(per_second), "the budget is {ratio} and {per_second}/s");
        Self { ratio, per_second }
    }
}

/// 20 % of the requests, and 10 per second.
impl Default for RetryBudget {
    fn default() -> Self {
        Self::new(0.2, 10.0)
    }
}

/// What is left of a budget.
#[derive(Debug)]
pub(super) struct Balance {
    budget: RetryBudget,
    state: Mutex<(f64, Option<Instant>)>,
}

impl Balance {
    pub(super) fn new(budget: RetryBudget) -> Self {
        Self { budget, state: Mutex::new((budget.per_second, None)) }
    }

    /// Adds what one request brings.
    pub(super) fn deposit(&self) {
        let (tokens, _) = &mut *locked(&self.state);
        *tokens = (*tokens + self.budget.ratio).min(self.most());
    }

    /// Takes one repetition; returns false if the budget is empty.
    pub(super) fn withdraw(&self) -> bool {
        let (tokens, last) = &mut *locked(&self.state);
        let now = Instant::now();
        let since = last.replace(now).map_or(0.0, |last| (now - last).as_secs_f64());
        *tokens = (*tokens + since * self.budget.per_second).min(self.most());
        // Five times 0.2 is not quite 1.
        let enough = *tokens >= 1.0 - 1e-6;
        if enough {
            *tokens = (*tokens - 1.0).max(0.0);
        }
        enough
    }

    /// The most tokens. Some come with requests, whose number per second nobody knows before.
    fn most(&self) -> f64 {
        const SECONDS: f64 = 10.0;
        const REQUESTS: f64 = 1_000.0;

        SECONDS * self.budget.per_second + REQUESTS * self.budget.ratio
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    /// How many repetitions the budget allows now.
    fn allows(balance: &Balance) -> usize {
        (0..).take_while(|_| balance.withdraw()).count()
    }

    // Q-8
    #[tokio::test(start_paused = true)]
    async fn it_allows_a_part_of_the_requests_and_some_per_second() {
        let balance = Balance::new(RetryBudget::default());
        assert_eq!(allows(&balance), 10);

        (0..100).for_each(|_| balance.deposit());
        assert_eq!(allows(&balance), 20);

        advance(Duration::from_millis(2_550)).await;
        assert_eq!(allows(&balance), 25);
    }

    // Q-8
    #[tokio::test(start_paused = true)]
    async fn it_saves_a_limited_number() {
        let balance = Balance::new(RetryBudget::default());
        assert_eq!(allows(&balance), 10);

        (0..1_000_000).for_each(|_| balance.deposit());
        advance(Duration::from_secs(1_000_000)).await;

        assert_eq!(allows(&balance), 300);
    }

    // Q-8
    #[tokio::test(start_paused = true)]
    async fn an_empty_budget_allows_nothing() {
        let balance = Balance::new(RetryBudget::new(0.0, 0.0));
        balance.deposit();

        assert_eq!(allows(&balance), 0);
    }
}
