//! The replay window. Handlers keep it, because protocols have no state (P-6).

use std::collections::HashSet;

use datagrammar_protocols::ReplayWindow;
use fastrand::Rng;

#[test]
fn each_number_is_accepted_once() {
    let mut window = ReplayWindow::new();

    for sequence in 0..1_000 {
        assert!(window.accept(sequence), "{sequence}");
        assert!(!window.accept(sequence), "{sequence}");
    }
}

#[test]
fn any_number_may_be_the_first() {
    for first in [0, 1, 63, 64, 1 << 32, u64::MAX - 1, u64::MAX] {
        let mut window = ReplayWindow::new();

        assert!(window.accept(first), "{first}");
        assert!(!window.accept(first), "{first}");
    }
}

#[test]
fn a_late_number_is_accepted_within_63_of_the_greatest() {
    let mut window = ReplayWindow::new();

    assert!(window.accept(100));
    assert!(window.accept(37)); // 63 behind
    assert!(!window.accept(36)); // 64 behind
    assert!(!window.accept(0));
    assert!(!window.accept(37));
}

#[test]
fn after_a_large_jump_old_numbers_are_refused() {
    for ahead in [63, 64, 65, 127, 128, 1 << 32, u64::MAX - 1] {
        let mut window = ReplayWindow::new();
        assert!(window.accept(1));

        assert!(window.accept(1 + ahead), "{ahead}");
        assert!(!window.accept(1 + ahead), "{ahead}");
        assert!(window.accept(ahead), "the number before is in the window and not seen yet");
        assert!(!window.accept(1), "1 is seen or too old after {ahead}");
    }
}

#[test]
fn after_the_greatest_number_the_window_still_works() {
    let mut window = ReplayWindow::new();

    assert!(window.accept(u64::MAX));
    assert!(!window.accept(u64::MAX));
    assert!(window.accept(u64::MAX - 63));
    assert!(!window.accept(u64::MAX - 64));
    assert!(!window.accept(0));
}

#[test]
fn it_agrees_with_a_set_of_all_numbers_seen() {
    let seeds = if cfg!(miri) { 2 } else { 200 };

    for seed in 0..seeds {
        let mut random = Rng::with_seed(seed);
        let mut window = ReplayWindow::new();
        let (mut seen, mut greatest) = (HashSet::new(), None);
        let mut about: u64 = if seed % 2 == 0 { random.u64(..200) } else { u64::MAX - 500 };

        for _ in 0..2_000 {
            let sequence = match random.u16(..400) {
                0..20 => about.saturating_add(random.u64(..200)),
                20 => random.u64(..),
                _ => about.saturating_sub(random.u64(..80)),
            };
            about = if random.u8(..20) == 0 { sequence } else { about.saturating_add(1) };

            let in_time = greatest.is_none_or(|greatest| sequence.saturating_add(63) >= greatest);
            let new = in_time && seen.insert(sequence);
            greatest = greatest.max(Some(sequence));

            assert_eq!(window.accept(sequence), new, "{sequence} of seed {seed}");
        }
    }
}

#[test]
fn it_takes_16_bytes_and_is_copy() {
    let mut window = ReplayWindow::new();
    let mut before = window;

    assert!(window.accept(1));

    assert!(before.accept(1));
    assert_eq!(window, before);
    assert_eq!(size_of::<ReplayWindow>(), 16);
}
