//! What a packed format writes to: the end of a datagram.

use std::marker::PhantomData;

use super::form::Form;

/// Appends values to a datagram.
pub(super) struct Writer<'d, F> {
    pub(super) datagram: &'d mut Vec<u8>,
    form: PhantomData<F>,
}

impl<'d, F: Form> Writer<'d, F> {
    #[inline]
    pub(super) const fn new(datagram: &'d mut Vec<u8>) -> Self {
        Self { datagram, form: PhantomData }
    }

    #[inline]
    pub(super) fn variant(&mut self, number: u32) {
        F::put::<4>(number.into(), self.datagram);
    }
}
