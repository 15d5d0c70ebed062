// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// trace_processor.js DIRECTORY TRACE: loads TRACE into Perfetto's trace_processor, whose WebAssembly lies
// in DIRECTORY (trace_processor.wasm, engine_bundle.js), and answers the SQL queries on standard input,
// one a line. Each answer: the rows, columns separated by tabs, and a line "."; an error: "error: …" and
// status 1.
//
// The bundle is a web worker that takes a message port and talks TraceProcessorRpc on it: here it gets
// what it needs of a browser, and a port whose other end is ours.
'use strict';

const fs = require('fs');
const path = require('path');
const vm = require('vm');

// Of TraceProcessorRpc, QueryResult and CellsBatch.
const APPEND = 1, FINALIZE = 2, QUERY = 3;
const FIELD = {message: 1, request: 2, fatal: 5, append: 101, query: 103, result: 203};
const CELL = {null: 1, varint: 2, real: 3, string: 4, blob: 5};

function varint(value) {
  const bytes = [];
  for (let v = BigInt(value); ; v >>= 7n) {
    if (v < 128n) return Buffer.from([...bytes, Number(v)]);
    bytes.push(Number(v & 127n) | 128);
  }
}

function numberField(field, value) {
  return Buffer.concat([varint(field << 3), varint(value)]);
}

function bytesField(field, bytes) {
  return Buffer.concat([varint(field << 3 | 2), varint(bytes.length), bytes]);
}

// Calls with field, value (a BigInt or a Buffer) of each field.
function eachField(buffer, call) {
  let at = 0;
  const next = () => {
    let value = 0n, shift = 0n, byte;
    do {
      byte = buffer[at++];
      value |= BigInt(byte & 127) << shift;
      shift += 7n;
    } while (byte & 128);
    return value;
  };
  while (at < buffer.length) {
    const tag = Number(next()), field = tag >>> 3, wire = tag & 7;
    if (wire === 0) {
      call(field, next());
    } else {
      const size = wire === 2 ? Number(next()) : wire === 1 ? 8 : 4;
      call(field, buffer.subarray(at, at + size));
      at += size;
    }
  }
}

function* packedVarints(buffer) {
  for (let at = 0; at < buffer.length;) {
    let value = 0n, shift = 0n, byte;
    do {
      byte = buffer[at++];
      value |= BigInt(byte & 127) << shift;
      shift += 7n;
    } while (byte & 128);
    yield BigInt.asIntN(64, value);
  }
}

class Engine {
  constructor(directory) {
    this.answer = null;
    this.log = [];
    const port = {postMessage: (data) => this.receive(Buffer.from(data))};
    const keep = (...words) => this.log.push(words.join(' '));
    class Request {
      open(method, url) { this.url = url; }
      send() {
        const bytes = fs.readFileSync(path.join(directory, path.basename(this.url)));
        this.response = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
      }
    }
    const scope = {
      location: {href: 'worker/'}, importScripts: () => {}, XMLHttpRequest: Request, TextDecoder,
      TextEncoder, WebAssembly, Uint8Array, ArrayBuffer, TypeError, setTimeout, clearTimeout, performance,
      crypto: globalThis.crypto, console: {log: keep, warn: keep, error: keep},
    };
    scope.self = scope;
    const bundle = path.join(directory, 'engine_bundle.js');
    vm.runInNewContext(fs.readFileSync(bundle, 'utf8'), scope, {filename: bundle});
    scope.onmessage({data: {enginePort: port}});
    this.port = port;
    this.pending = Buffer.alloc(0);
    this.sequence = 0;
  }

  // The channel carries bytes: a message may come in parts.
  receive(data) {
    eachField(Buffer.concat([data]), (field, message) => {
      if (field !== FIELD.message) return;
      eachField(message, (inner, value) => {
        if (inner === FIELD.fatal) throw new Error(value.toString());
        if (inner === FIELD.result) this.collect(value);
      });
    });
  }

  call(method, args) {
    const message = Buffer.concat([numberField(1, this.sequence++), numberField(FIELD.request, method),
      ...(args ? [args] : [])]);
    this.port.onmessage({data: new Uint8Array(bytesField(FIELD.message, message))});
  }

  collect(result) {
    let columns = 0;
    eachField(result, (field, value) => {
      if (field === 1) this.columns = this.columns + 1;
      if (field === 2) this.error = value.toString();
      if (field === 3) this.batch(value);
    });
    return columns;
  }

  batch(buffer) {
    const kinds = [], whole = [], real = [], blobs = [];
    let text = [];
    eachField(buffer, (field, value) => {
      if (field === 1) kinds.push(...packedVarints(value));
      if (field === 2) whole.push(...packedVarints(value));
      if (field === 3) for (let i = 0; i < value.length; i += 8) real.push(value.readDoubleLE(i));
      if (field === 4) blobs.push(value.toString('hex'));
      if (field === 5) text = value.toString().split('\0');
    });
    const take = {
      [CELL.null]: () => 'NULL', [CELL.varint]: () => whole.shift(), [CELL.real]: () => real.shift(),
      [CELL.string]: () => text.shift(), [CELL.blob]: () => blobs.shift(),
    };
    for (const kind of kinds) this.cells.push(String(take[Number(kind)]()));
  }

  load(file) {
    const trace = fs.readFileSync(file);
    const piece = 1 << 20;
    for (let at = 0; at < trace.length; at += piece)
      this.call(APPEND, bytesField(FIELD.append, trace.subarray(at, at + piece)));
    this.call(FINALIZE);
  }

  query(sql) {
    Object.assign(this, {cells: [], columns: 0, error: null});
    this.call(QUERY, bytesField(FIELD.query, bytesField(1, Buffer.from(sql))));
    if (this.error) throw new Error(`${this.error}: ${sql}`);
    const rows = [];
    for (let at = 0; at < this.cells.length; at += this.columns)
      rows.push(this.cells.slice(at, at + this.columns).join('\t'));
    return rows;
  }
}

async function main() {
  const [directory, trace] = process.argv.slice(2);
  const engine = new Engine(directory);
  await new Promise(setImmediate); // what the bundle does when its program has been loaded
  engine.load(trace);
  for (const sql of fs.readFileSync(0, 'utf8').split('\n').filter((line) => line.trim()))
    process.stdout.write([...engine.query(sql), '.', ''].join('\n'));
}

main().catch((error) => {
  process.stdout.write(`error: ${error.message}\n`);
  process.exitCode = 1;
});
