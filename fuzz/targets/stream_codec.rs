#![no_main]
use std::convert::Infallible;

use datagrammar::{DatagramProtocol, StreamCodec, converter_fn};
use datagrammar_protocols::testing::Conformance;
use tokio_util::{
    bytes::{Bytes, BytesMut},
    codec::{LengthDelimitedCodec, LinesCodec},
};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    // The codec removes a CR at the end of a line when it reads, but not when it writes. So not every packet
    // can be written and read again.
    let lines = StreamCodec::<_, String>::new(LinesCodec::new);
    Conformance::between(&lines, &lines, PartialEq::eq).datagram(input);

    let lengths = StreamCodec::<_, Bytes>::new(|| {
        LengthDelimitedCodec::builder()
            .length_field_type::<u16>()
            .max_frame_length(1_200)
            .new_codec()
    });
    let lengths = lengths.convert(converter_fn(
        |bytes: BytesMut| Ok::<_, Infallible>(bytes.freeze()),
        |bytes: &Bytes| Ok::<_, Infallible>(bytes.clone()),
    ));
    datagrammar_fuzz::datagrams(lengths, [Bytes::from_static(b"hello")], input);
});
