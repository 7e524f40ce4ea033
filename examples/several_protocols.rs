//! Three kinds of datagrams on one port, told apart by their first byte, as one enum of the program.
//!
//! ```sh
//! cargo run --example several_protocols
//! ```

use datagrammar::{
    BoxError, Bytes, Client, DatagramProtocol, Either, Json, Raw, Server, Split, Text,
    converter_fn, first_byte,
};

#[derive(Debug, PartialEq)]
enum Packet {
    Command(String),
    Position([f64; 2]),
    Voice(Bytes),
}

/// Receives all three, and sends commands.
fn protocol() -> impl DatagramProtocol<Incoming = Packet, Outgoing = String> {
    let command = Text.when(first_byte(b'/'..=b'/'));
    let position = Json::<[f64; 2]>::new().when(first_byte(b'['..=b'['));
    command.or(position).or(Raw.when(first_byte(128..=191))).convert(converter_fn(
        |packet| -> Result<Packet, BoxError> {
            Ok(match packet {
                Either::Left(Either::Left(text)) => Packet::Command(text),
                Either::Left(Either::Right(position)) => Packet::Position(position),
                Either::Right(bytes) => Packet::Voice(bytes),
            })
        },
        |command: &String| Ok::<_, BoxError>(Either::Left(Either::Left(command.clone()))),
    ))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let describe = async |packet: Packet| format!("/received {packet:?}");
    let server = Server::bind("127.0.0.1:0", protocol(), describe).await?;
    let client = Client::connect(server.local_addr(), Split::new(Text, Raw)).await?;
    server.spawn();
    for datagram in [&b"/join"[..], b"[1.5, 2.0]", b"\x80\x01"] {
        client.send(Bytes::from_static(datagram)).await?;
        println!("{}", client.recv().await?);
    }
    Ok(())
}
