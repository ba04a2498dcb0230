// Runs a js/wasm program of Go's under Node with the SQLite bridge beside it:
//
//   GOOS=js GOARCH=wasm go test -exec "node --stack-size=8192 clients/phone/node/exec.mjs" ./replica
//
// With STRIPPED in the environment it is stripped as the core is: a test that fails then says no line.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import sqlite3InitModule from '@sqlite.org/sqlite-wasm';
import { bridge } from '../../../replica/sql/bridge.mjs';
import { joined, stripped } from '../core/wasm.mjs';
import { installNodeVfs } from './vfs.mjs';

const require = createRequire(import.meta.url);
globalThis.require = require;
globalThis.fs = fs;
globalThis.path = path;
globalThis.crypto ??= require('node:crypto').webcrypto;
const root = process.env.GOROOT || execFileSync('go', ['env', 'GOROOT'], { encoding: 'utf8' }).trim();
require(path.join(root, 'lib/wasm/wasm_exec.js'));

const [program, ...args] = process.argv.slice(2);
const [sqlite3, module] = await Promise.all([sqlite3InitModule(), WebAssembly.compile(process.env.STRIPPED ? stripped(joined(fs.readFileSync(program))) : fs.readFileSync(program))]);
const go = new globalThis.Go();
go.argv = [program, ...args];
go.env = { TMPDIR: os.tmpdir(), ...process.env };
go.exit = process.exit;
go.importObject.trio = bridge(sqlite3, { memory: () => go._inst.exports.mem, vfs: installNodeVfs(sqlite3) });
process.on('exit', (code) => {
  if (code === 0 && !go.exited) { // a deadlock: let Go say where
    go._pendingEvent = { id: 0 };
    go._resume();
  }
});
await go.run(await WebAssembly.instantiate(module, go.importObject));
