// A UDP server on the dgram module of Node.js: it echoes bytes, or answers typed JSON.
//
// usage: node dgram_server.js PORT [--json]
const dgram = require("node:dgram");

const port = Number(process.argv[2]);
const socket = dgram.createSocket({ type: "udp4", recvBufferSize: 4 << 20 });
// An error of one datagram does not end the server.
socket.on("error", () => {});
if (process.argv.includes("--json")) {
  socket.on("message", (message, from) => {
    const { id, name, values } = JSON.parse(message.toString());
    let sum = 0, max = -Infinity;
    for (const value of values) {
      sum += value;
      if (value > max) max = value;
    }
    socket.send(JSON.stringify({ id, ok: true, name, sum, max }), from.port, from.address);
  });
} else {
  socket.on("message", (message, from) => socket.send(message, from.port, from.address));
}
socket.bind(port, "127.0.0.1");
