//! Converts floats between formats of IEEE 754, exact to the bit. This includes NaN, whose bits a
//! conversion by `as` or `From` may change.

/// Returns the float of single precision that is exactly `double`, if there is one.
pub(crate) fn single_of(double: f64) -> Option<f32> {
    let single = if double.is_nan() {
        let bits = double.to_bits();
        f32::from_bits(
            (bits >> 32) as u32 & 0x8000_0000 | 0xff << 23 | (bits >> 29) as u32 & 0x7f_ffff,
        )
    } else {
        double as f32
    };
    (double_of(single).to_bits() == double.to_bits()).then_some(single)
}

/// Returns the float of double precision that is exactly `single`.
pub(crate) fn double_of(single: f32) -> f64 {
    if !single.is_nan() {
        return single.into();
    }
    let bits = u64::from(single.to_bits());
    f64::from_bits((bits & 0x8000_0000) << 32 | 0x7ff << 52 | (bits & 0x7f_ffff) << 29)
}

/// Returns the integer that is exactly `double`, if there is one: as `(false, n)` for `n`, and as
/// `(true, n)` for -1 - `n`. It loses the sign of -0.0.
pub(super) fn integer_of(double: f64) -> Option<(bool, u128)> {
    let magnitude = double.abs();
    // For 2^128 and more, `as` returns the greatest integer.
    let number = (magnitude < BEYOND).then_some(magnitude as u128)?;
    if number as f64 != magnitude {
        return None;
    }
    Some(if double < 0.0 { (true, number - 1) } else { (false, number) })
}

const BEYOND: f64 = 340_282_366_920_938_463_463_374_607_431_768_211_456.0; // 2^128

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_keeps_its_bits() {
        for bits in [0x7ff8_0000_0000_0000, 0xfff8_0000_0000_0000, 0x7ff0_0000_2000_0000] {
            let single = single_of(f64::from_bits(bits)).unwrap();

            assert_eq!(double_of(single).to_bits(), bits);
        }
        assert!(single_of(f64::from_bits(0x7ff8_0000_0000_0001)).is_none());
        // Its top bits alone would be infinity.
        assert!(single_of(f64::from_bits(0x7ff0_0000_0000_0001)).is_none());
    }

    #[test]
    fn doubles_without_an_exact_single_give_none() {
        for double in [0.1, 1e300, 5e-324, f64::from(f32::MAX) * 2.0, 16_777_217.0] {
            assert_eq!(single_of(double), None, "{double}");
        }
        for double in [0.5, -0.0, f64::from(f32::MAX), f64::from(f32::from_bits(1)), 16_777_216.0] {
            assert_eq!(single_of(double).map(double_of), Some(double), "{double}");
        }
    }
    #[test]
    fn whole_doubles_are_integers() {
        let two = |exponent| 2_f64.powi(exponent);

        for (double, integer) in [
            (0.0, (false, 0)),
            (-0.0, (false, 0)),
            (1.0, (false, 1)),
            (-1.0, (true, 0)),
            (two(53) - 1.0, (false, (1 << 53) - 1)),
            (two(64), (false, 1 << 64)),
            (-two(64), (true, (1 << 64) - 1)),
            (two(127), (false, 1 << 127)),
            (-two(127), (true, (1 << 127) - 1)),
            (two(128).next_down(), (false, u128::MAX << 75)),
        ] {
            assert_eq!(integer_of(double), Some(integer), "{double}");
        }
    }

    #[test]
    fn other_doubles_are_no_integers() {
        let two = |exponent| 2_f64.powi(exponent);

        for double in [
            0.5,
            -1.5,
            two(52).next_down(),
            f64::MIN_POSITIVE,
            5e-324,
            two(128),
            f64::MAX,
            f64::INFINITY,
            f64::NAN,
        ] {
            assert_eq!(integer_of(double), None, "{double}");
            assert_eq!(integer_of(-double), None, "-{double}");
        }
    }
}
