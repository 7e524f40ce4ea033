//! Floats in narrower and wider formats of IEEE 754, to the bit: of what is no number, too, where a
//! conversion by `as` or `From` may change bits.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_keeps_its_bits() {
        for bits in [0x7ff8_0000_0000_0000, 0xfff8_0000_0000_0000, 0x7ff0_0000_2000_0000] {
            let single = single_of(f64::from_bits(bits)).unwrap();

            assert_eq!(double_of(single).to_bits(), bits);
        }
        assert!(single_of(f64::from_bits(0x7ff8_0000_0000_0001)).is_none());
        // Its top bits alone would be infinity.
        assert!(single_of(f64::from_bits(0x7ff0_0000_0000_0001)).is_none());
    }

    #[test]
    fn doubles_that_are_no_singles_are_none() {
        for double in [0.1, 1e300, 5e-324, f64::from(f32::MAX) * 2.0, 16_777_217.0] {
            assert_eq!(single_of(double), None, "{double}");
        }
        for double in [0.5, -0.0, f64::from(f32::MAX), f64::from(f32::from_bits(1)), 16_777_216.0] {
            assert_eq!(single_of(double).map(double_of), Some(double), "{double}");
        }
    }
}
