//! How many requests are in flight: the congestion control of a request client.

use std::sync::{Arc, Mutex};

use tokio::{sync::Semaphore, time::Instant};

use crate::lock::locked;

/// The places for requests in flight. Their number halves when a timer expires, and grows by one for each
/// window of answered requests.
#[derive(Debug)]
pub(super) struct Window {
    places: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: usize,
    most: usize,
    /// How many places are to be taken away when they become free.
    debt: usize,
    /// How many requests were answered since the last change.
    answered: usize,
    /// When the limit was halved last.
    halved: Option<Instant>,
}

/// The place of one request. It waits in a fair line.
#[derive(Debug)]
pub(super) struct Place(Arc<Window>);

impl Window {
    pub(super) fn new(most: usize) -> Arc<Self> {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        let state = State { limit: most, most, debt: 0, answered: 0, halved: None };
        Arc::new(Self { places: Semaphore::new(most), state: Mutex::new(state) })
    }

    /// Waits for a place.
    pub(super) async fn enter(self: &Arc<Self>) -> Place {
        self.places.acquire().await.expect("the semaphore is never closed").forget();
        Place(Arc::clone(self))
    }

    /// Returns a place if one is free and nobody waits for it.
    #[cfg(feature = "tower")]
    pub(super) fn try_enter(self: &Arc<Self>) -> Option<Place> {
        self.places.try_acquire().ok()?.forget();
        Some(Place(Arc::clone(self)))
    }

    /// A request was answered.
    pub(super) fn answered(&self) {
        let mut state = locked(&self.state);
        state.answered += 1;
        if state.answered >= state.limit {
            state.answered = 0;
            if state.limit < state.most {
                state.limit += 1;
                match state.debt.checked_sub(1) {
                    Some(debt) => state.debt = debt,
                    None => self.places.add_permits(1),
                }
            }
        }
    }

    /// The timer of an attempt has expired, which was sent at `sent`. Attempts that were sent before the last
    /// change tell nothing new.
    pub(super) fn expired(&self, sent: Instant) {
        let mut state = locked(&self.state);
        if state.halved.is_some_and(|halved| sent < halved) {
            return;
        }
        let gone = state.limit / 2;
        state.limit -= gone;
        state.answered = 0;
        state.halved = Some(Instant::now());
        state.debt += gone - self.places.forget_permits(gone);
    }

    /// How many requests may be in flight now.
    pub(super) fn limit(&self) -> usize {
        locked(&self.state).limit
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = locked(&self.0.state);
        match state.debt.checked_sub(1) {
            Some(debt) => state.debt = debt,
            None => self.0.places.add_permits(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    /// How many places are free.
    fn free(window: &Window) -> usize {
        window.places.available_permits()
    }

    //
    #[tokio::test(start_paused = true)]
    async fn it_halves_once_for_the_attempts_in_flight_and_grows_by_one_for_each_window() {
        let window = Window::new(64);
        let sent = Instant::now();
        advance(Duration::from_secs(1)).await;
        for _ in 0..64 {
            window.expired(sent);
        }
        assert_eq!((window.limit(), free(&window)), (32, 32));

        (0..32).for_each(|_| window.answered());
        assert_eq!((window.limit(), free(&window)), (33, 33));
        window.expired(Instant::now());
        assert_eq!(window.limit(), 17);
        for _ in 0..10 {
            advance(Duration::from_secs(1)).await;
            window.expired(Instant::now());
        }
        assert_eq!((window.limit(), free(&window)), (1, 1));
        for _ in 0..10_000 {
            window.answered();
        }
        assert_eq!((window.limit(), free(&window)), (64, 64));
    }

    //
    #[tokio::test(start_paused = true)]
    async fn places_that_are_taken_go_away_when_they_become_free() {
        let window = Window::new(4);
        let mut places = Vec::new();
        for _ in 0..4 {
            places.push(window.enter().await);
        }
        window.expired(Instant::now());
        places.pop();
        places.pop();
        assert_eq!((window.limit(), free(&window)), (2, 0));

        places.pop();
        assert_eq!(free(&window), 1);
        places.pop();
        assert_eq!(free(&window), 2);
    }

    //
    #[tokio::test(start_paused = true)]
    async fn a_window_that_grows_again_keeps_places_that_were_to_go_away() {
        let window = Window::new(2);
        let (one, two) = (window.enter().await, window.enter().await);
        window.expired(Instant::now());
        window.answered();

        drop((one, two));

        assert_eq!((window.limit(), free(&window)), (2, 2));
    }

    //
    #[tokio::test]
    async fn there_is_at_least_one_place() {
        let window = Window::new(0);
        window.expired(Instant::now());

        assert_eq!((window.limit(), free(&window)), (1, 1));
    }
}
