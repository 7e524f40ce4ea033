//! The time of tokens: seconds since 1970, modulo 2³².

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The seconds since 1970, modulo 2³². Before 1970 they count backwards from 0.
pub(super) fn serial(now: SystemTime) -> u32 {
    match now.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs() as u32,
        Err(before) => (before.duration().as_secs() as u32).wrapping_neg(),
    }
}

/// Whether a time is at most `oldest` seconds before now, and at most `newest` after it (RFC 1982).
pub(super) const fn is_in_time(now: u32, time: u32, oldest: u32, newest: u32) -> bool {
    let age = now.wrapping_sub(time).cast_signed() as i64;
    -(newest as i64) <= age && age <= oldest as i64
}

/// The seconds of a lifetime, within the range that one may have.
pub(super) fn seconds_of_lifetime(lifetime: Duration) -> u32 {
    seconds_up(lifetime).clamp(1, 86_400)
}

/// The seconds of a time, rounded up.
pub(super) fn seconds_up(duration: Duration) -> u32 {
    let seconds = duration.as_secs().saturating_add((duration.subsec_nanos() > 0).into());
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    //
    #[test]
    fn the_time_counts_seconds_modulo_2_to_the_32() {
        let at = |seconds| serial(UNIX_EPOCH + Duration::from_secs(seconds));

        assert_eq!((at(0), at(1_559_731_985)), (0, 0x5cf7_9f11));
        assert_eq!((at(u32::MAX.into()), at(1 << 32), at((1 << 32) + 9)), (u32::MAX, 0, 9));
        assert_eq!(serial(UNIX_EPOCH - Duration::from_secs(2)), u32::MAX - 1);
    }

    //
    #[test]
    fn a_time_is_compared_across_the_end_of_the_clock() {
        for now in [0, 4, 29, 30, 1 << 31, u32::MAX - 4, u32::MAX] {
            let is_valid = |age: i32| is_in_time(now, now.wrapping_add_signed(-age), 30, 5);

            assert!([-5, 0, 1, 30].into_iter().all(is_valid), "{now}");
            assert!(![-6, 31, i32::MAX, -i32::MAX].into_iter().any(is_valid), "{now}");
            assert!(!is_in_time(now, now.wrapping_add(1 << 31), 30, 5), "{now}");
        }
    }
}
