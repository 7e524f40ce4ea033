// A codec of JavaScript as a program: `node peer.js LIBRARY` reads lines, and answers each with one line.
//
// `encode EXPRESSION` is answered with the datagram of that value in hexadecimal; `decode HEX` with the
// value as JSON, or more than that where JavaScript has more. Either is answered with `throws` if it does.

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
