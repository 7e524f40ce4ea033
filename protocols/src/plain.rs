//! Trait impls for types that contain no packet, although packets are their type parameters.

/// Implements `Clone`, `Copy`, `Debug` with these fields, and `Default` by `new`, for all types
/// of packets. `derive` would require the same traits of the packets.
macro_rules! plain {
    ($Type:ident<$($Packet:ident),*> { $($field:ident),* }) => {
        impl<$($Packet),*> Clone for $Type<$($Packet),*> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<$($Packet),*> Copy for $Type<$($Packet),*> {}

        impl<$($Packet),*> std::fmt::Debug for $Type<$($Packet),*> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($Type))
                    $(.field(stringify!($field), &self.$field))*
                    .finish_non_exhaustive()
            }
        }

        impl<$($Packet),*> Default for $Type<$($Packet),*> {
            fn default() -> Self {
                Self::new()
            }
        }
    };
}

pub(crate) use plain;
