//! What a packed format writes to: the end of a datagram.

use std::marker::PhantomData;

use super::{
    form::Form,
    unsized_types::{self, allow},
};
use crate::serde_format::mismatch::Mismatch;

/// Appends values to a datagram.
pub(super) struct Writer<'d, F> {
    pub(super) datagram: &'d mut Vec<u8>,
    /// Whether what comes next is the bytes of a text field.
    pub(super) in_text_field: bool,
    form: PhantomData<F>,
}

impl<'d, F: Form> Writer<'d, F> {
    #[inline]
    pub(super) const fn new(datagram: &'d mut Vec<u8>) -> Self {
        Self { datagram, in_text_field: false, form: PhantomData }
    }

    #[inline]
    pub(super) fn variant(&mut self, number: u32) -> Result<(), Mismatch> {
        allow::<F>(unsized_types::ENUM)?;
        F::put::<4>(number.into(), self.datagram);
        Ok(())
    }
}
