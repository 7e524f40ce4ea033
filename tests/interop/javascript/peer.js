// A JavaScript codec as a program: `node peer.js LIBRARY` reads lines, and answers each with one line.
//
// The answer to `encode EXPRESSION` is the datagram of that value in hexadecimal. The answer to `decode HEX` is the
// value as JSON, with special forms for values that JSON does not have. If the library throws, the answer is `throws`.

import * as msgpack from '@msgpack/msgpack';
import * as cborX from 'cbor-x';
import * as cborg from 'cborg';
import * as msgpackr from 'msgpackr';
import { createInterface } from 'node:readline';

const LIBRARIES = {
  'cbor-x': cborX,
  'cbor-x, an Encoder': new cborX.Encoder(),
  'cbor-x, an Encoder without records': new cborX.Encoder({ useRecords: false }),
  cborg,
  'cborg, with maps': { ...cborg, decode: (bytes) => cborg.decode(bytes, { useMaps: true }) },
  msgpackr: { encode: msgpackr.pack, decode: msgpackr.unpack },
  'msgpackr, a Packr': new msgpackr.Packr(),
  '@msgpack/msgpack': msgpack,
  '@msgpack/msgpack, with big integers': {
    encode: (value) => msgpack.encode(value, { useBigInt64: true }),
    decode: (bytes) => msgpack.decode(bytes, { useBigInt64: true }),
  },
  '@msgpack/msgpack, integers as floats': {
    ...msgpack,
    encode: (value) => msgpack.encode(value, { forceIntegerToFloat: true }),
  },
};

const library = LIBRARIES[process.argv[2]];

function answer(line) {
  const [verb, rest] = [line.slice(0, 6), line.slice(7)];
  try {
    if (verb === 'decode') return shown(library.decode(Buffer.from(rest, 'hex')));
    return Buffer.from(library.encode(Function(`return (${rest})`)())).toString('hex');
  } catch {
    return 'throws';
  }
}

function shown(value) {
  const pairs = (entries) => [...entries].map(([key, of]) => `[${shown(key)},${shown(of)}]`);
  if (value === undefined) return '{"undefined":true}';
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return Object.is(value, -0) ? '-0.0' : String(value);
  if (value instanceof Date) return `{"date":${value.getTime()}}`;
  if (value instanceof Uint8Array) return `{"bytes":"${Buffer.from(value).toString('hex')}"}`;
  if (value instanceof Map) return `{"map":[${pairs(value)}]}`;
  if (value instanceof Set) return `{"set":[${[...value].map(shown)}]}`;
  if (Array.isArray(value)) return `[${value.map(shown)}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const fields = Object.entries(value).map(([name, of]) => `${JSON.stringify(name)}:${shown(of)}`);
  return `{${fields}}`;
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${answer(line)}\n`);
}
