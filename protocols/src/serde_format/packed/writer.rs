//! The writer of packed formats.

use std::marker::PhantomData;

use super::{
    form::Form,
    unsized_types::{self, allow},
};
use crate::serde_format::mismatch::Mismatch;

/// Appends values to a datagram.
pub(super) struct Writer<'d, F> {
    pub(super) datagram: &'d mut Vec<u8>,
    /// Whether the next bytes are those of a text field.
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
