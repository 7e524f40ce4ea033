#![no_main]
use datagrammar_protocols::Protobuf;

#[derive(arbitrary::Arbitrary, PartialEq, prost::Message)]
struct Tree {
    #[prost(int32, optional, tag = "1")]
    number: Option<i32>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(double, repeated, tag = "3")]
    values: Vec<f64>,
    #[prost(message, repeated, tag = "4")]
    #[arbitrary(default)]
    leaves: Vec<Self>,
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    datagrammar_fuzz::protocol(Protobuf::<Tree>::new(), input);
});
