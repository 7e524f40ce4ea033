//! Reads numbers as every integer type, for every form on the wire.

/// A number that fits into an integer type.
#[derive(Clone, Copy)]
pub(crate) enum Whole {
    Negative(i128),
    Positive(u128),
}

impl Whole {
    pub(crate) fn new(number: i128) -> Self {
        u128::try_from(number).map_or(Self::Negative(number), Self::Positive)
    }

    /// The integer that equals `float`, if there is one. The bounds are powers of two, so they are exact
    /// floats.
    pub(crate) fn of_float(float: f64) -> Option<Self> {
        if float.trunc() != float || float >= 2_f64.powi(128) || float < -2_f64.powi(127) {
            return None;
        }
        Some(if float < 0.0 {
            Self::Negative(float as i128)
        } else {
            Self::Positive(float as u128)
        })
    }

    pub(crate) fn as_type<T: TryFrom<i128> + TryFrom<u128>>(self) -> Option<T> {
        match self {
            Self::Negative(number) => T::try_from(number).ok(),
            Self::Positive(number) => T::try_from(number).ok(),
        }
    }
}

/// Asserts that a datagram is read as each integer type that can hold the number, and refused as each other
/// one. Returns how many types it has tried.
macro_rules! of_each_type {
    ($Codec:ident, $datagram:expr, $number:expr, $what:expr) => {
        $crate::vectors::integers::of_each_type!($Codec, $datagram, $number, $what;
            u8 u16 u32 u64 u128 i8 i16 i32 i64 i128)
    };
    ($Codec:ident, $datagram:expr, $number:expr, $what:expr; $($Integer:ty)*) => {{
        let number: Option<$crate::vectors::integers::Whole> = $number;
        let mut types = 0;
        $(
            let codec = $Codec::<$Integer, ()>::new();
            let what = format!("{} as {}", $what, stringify!($Integer));
            match number.and_then($crate::vectors::integers::Whole::as_type::<$Integer>) {
                Some(number) => assert_eq!($crate::vectors::read(&codec, $datagram, &what), number, "{what}"),
                None => $crate::vectors::refused(&codec, $datagram, &what),
            }
            types += 1;
        )*
        types
    }};
}

pub(crate) use of_each_type;
