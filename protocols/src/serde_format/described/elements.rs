//! Writes arrays, maps and tags, element by element.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::{notation::Notation, writer::Writer};
use crate::serde_format::mismatch::Mismatch;

/// An array, a map, or a tag and its value, while it is written.
pub(super) struct Elements<'s, 'd, N> {
    writer: &'s mut Writer<'d, N>,
    head: Head,
    start: usize,
    declared: Option<usize>,
    written: usize,
    is_tag: bool,
}

/// A function that appends the head of an array or map.
type Head = fn(usize, &mut Vec<u8>) -> Result<(), Mismatch>;

impl<'s, 'd, N: Notation> Elements<'s, 'd, N> {
    #[inline]
    pub(super) fn new(
        writer: &'s mut Writer<'d, N>,
        head: Head,
        declared: Option<usize>,
    ) -> Result<Self, Mismatch> {
        let start = writer.datagram.len();
        if let Some(elements) = declared {
            head(elements, writer.datagram)?;
        }
        Ok(Self { writer, head, start, declared, written: 0, is_tag: false })
    }

    /// A tag: its first element is the number.
    pub(super) fn of_tag(writer: &'s mut Writer<'d, N>) -> Self {
        let start = writer.datagram.len();
        let declared = Some(2);
        Self { writer, head: |_, _| Ok(()), start, declared, written: 0, is_tag: true }
    }

    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Mismatch> {
        self.written += 1;
        value.serialize(&mut *self.writer)
    }

    #[inline]
    fn finish(self) -> Result<(), Mismatch> {
        match self.declared {
            Some(declared) if declared == self.written => Ok(()),
            Some(_) => Err(Mismatch::new("number of elements differs from the declared length")),
            None => self.put_head(),
        }
    }

    /// Inserts the length before the elements, since it is known only now.
    #[cold]
    fn put_head(self) -> Result<(), Mismatch> {
        let datagram = &mut *self.writer.datagram;
        let end = datagram.len();
        (self.head)(self.written, datagram)?;
        let head = datagram.len() - end;
        datagram[self.start..].rotate_right(head);
        Ok(())
    }
}

/// The kinds of lists that serde has. On the wire all are arrays.
macro_rules! arrays {
    ($($trait:ident: $method:ident,)*) => {$(
        impl<N: Notation> $trait for Elements<'_, '_, N> {
            type Ok = ();
            type Error = Mismatch;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Mismatch> {
                self.element(value)
            }

            #[inline]
            fn end(self) -> Result<(), Mismatch> {
                self.finish()
            }
        }
    )*};
}

arrays! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
}

impl<N: Notation> SerializeTupleVariant for Elements<'_, '_, N> {
    type Ok = ();
    type Error = Mismatch;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Mismatch> {
        self.element(value)?;
        if self.is_tag && self.written == 1 {
            self.writer.make_tag_of(self.start)?;
        }
        Ok(())
    }

    fn end(self) -> Result<(), Mismatch> {
        self.finish()
    }
}

impl<N: Notation> SerializeMap for Elements<'_, '_, N> {
    type Ok = ();
    type Error = Mismatch;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Mismatch> {
        self.element(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Mismatch> {
        value.serialize(&mut *self.writer)
    }

    #[inline]
    fn end(self) -> Result<(), Mismatch> {
        self.finish()
    }
}

macro_rules! maps_of_names {
    ($($trait:ident,)*) => {$(
        impl<N: Notation> $trait for Elements<'_, '_, N> {
            type Ok = ();
            type Error = Mismatch;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Mismatch> {
                N::put_text(name, self.writer.datagram)?;
                self.element(value)
            }

            #[inline]
            fn end(self) -> Result<(), Mismatch> {
                self.finish()
            }
        }
    )*};
}

maps_of_names! {
    SerializeStruct,
    SerializeStructVariant,
}
