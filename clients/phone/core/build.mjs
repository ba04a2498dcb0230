// Builds the core, packed as a browser loads it, and says how large it is, part by part; fails above the budget:
//
//   node build.mjs [out.packed [quick]]
//
// quick builds it and leaves the sizes, and the budget, to another time.
// Four things make it smaller without changing what it does. Nothing is inlined (-l): 10 % less to load. The linker leaves out
// zeros in the data in 80,000 pieces, each with an address of its own, which compresses far worse than the zeros. What the runtime has
// for printing only goes: a trace of a panic has no names and lines. And it is packed, as pack.mjs says.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { environment } from './go.mjs';
import { pack } from './pack.mjs';
import { unpack } from './unpack.mjs';
import { joined, reader, sections, stripped } from './wasm.mjs';

const BUDGET = 800_000; // bytes, brotli -q 11
const here = path.dirname(new URL(import.meta.url).pathname);
const out = process.argv[2] && path.resolve(process.argv[2]);
const tmp = mkdtempSync(path.join(tmpdir(), 'core-'));

function brotli(b) {
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: b.length };
  return brotliCompressSync(b, { params });
}

// packages returns the code of each package, bytes, by the names of functions in a build that has them.
function packages(wasm) {
  const sizes = [], names = [];
  let imports = 0;
  for (const s of sections(wasm)) {
    const r = reader(s.body);
    if (s.id === 2) imports = r.unsigned();
    if (s.id === 10) for (let n = r.unsigned(); n > 0; n--) {
      const size = r.unsigned();
      sizes.push(size);
      r.at += size;
    }
    if (s.id !== 0) continue;
    const length = r.unsigned();
    r.at += length;
    if (s.body.toString('latin1', r.at - length, r.at) !== 'name') continue;
    while (r.at < s.body.length) {
      const id = s.body[r.at++], end = r.unsigned() + r.at;
      if (id === 1) for (let n = r.unsigned(); n > 0; n--) {
        const index = r.unsigned(), size = r.unsigned();
        names[index] = s.body.toString('utf8', r.at, (r.at += size));
      }
      r.at = end;
    }
  }
  const by = new Map();
  sizes.forEach((size, i) => {
    const name = (names[i + imports] ?? '?').replace(/\[.*/, '').replace(/_\(.*|\.\(.*/, '');
    const pkg = name.replace(/^type:?\..*/, 'types').replace(/\..*/, '');
    by.set(pkg, (by.get(pkg) ?? 0) + size);
  });
  return [...by].sort((a, b) => b[1] - a[1]);
}

try {
  const build = (name, ldflags) => {
    const file = path.join(tmp, name);
    execFileSync('go', ['build', '-trimpath', `-ldflags=${ldflags} -buildid=`, '-gcflags=all=-l', '-o', file, '.'], {
      cwd: here, stdio: ['ignore', 'inherit', 'inherit'], env: { ...environment, GOOS: 'js', GOARCH: 'wasm' },
    });
    return readFileSync(file);
  };
  const linked = joined(build('core.wasm', '-s -w'));
  const before = process.argv[3] === 'quick' ? null : brotli(linked).length;
  const wasm = stripped(linked);
  new WebAssembly.Module(wasm);
  const packed = pack(wasm);
  if (out) {
    mkdirSync(path.dirname(out), { recursive: true });
    writeFileSync(out, packed);
  }
  if (before) {
    damage(packed);
    measure(before, wasm, packed, build);
  }
} finally {
  rmSync(tmp, { recursive: true });
}

// damage asks that whatever comes in place of the packed core ends soon: in an error, or in bytes that no compiler takes.
function damage(packed) {
  let seed = 1;
  const random = (n) => (seed = (seed * 48271) % 0x7fffffff) % n;
  for (let round = 0; round < 60; round++) {
    const was = seed, bad = Buffer.from(packed);
    for (let i = random(4); i >= 0; i--) bad[random(2) ? random(bad.length) : random(6000)] = random(256);
    const start = performance.now();
    try {
      unpack(round % 10 ? bad : bad.subarray(0, random(bad.length)));
    } catch (e) {
      if (!/load it again|offset is out of bounds|Invalid typed array length|outside the bounds/i.test(e.message)) throw new Error(`damage by seed ${was}: ${e.stack}`);
    }
    if (performance.now() - start > 20_000) throw new Error(`damage by seed ${was} takes ${performance.now() - start} ms`);
  }
}

function measure(before, wasm, packed, build) {
  const kb = (n) => String(Math.round(n / 1000)).padStart(5);
  console.log('code by package, KB before compression:');
  for (const [pkg, size] of packages(build('named.wasm', '')).slice(0, 24)) console.log(`  ${kb(size)}  ${pkg}`);
  const small = brotli(packed).length;
  console.log('the core, KB with brotli:');
  console.log(`  ${kb(before)}  as it is linked, data in one piece (${kb(wasm.length).trim()} before compression)`);
  console.log(`  ${kb(brotli(wasm).length)}  without names and lines`);
  console.log(`  ${kb(small)}  packed (${kb(packed.length).trim()} before compression); budget ${BUDGET / 1000}`);
  if (small > BUDGET) {
    console.error(`error: the core is ${Math.round((small - BUDGET) / 1000)} KB above its budget`);
    process.exitCode = 1;
  }
}
