// Builds the core and says how large it is, part by part; fails above the budget:
//
//   node build.mjs [out.wasm [quick]]
//
// quick builds it and leaves the sizes, and the budget, to another time.
// Two things make it smaller without changing what it does. Nothing is inlined (-l): 10 % less to load. And the linker
// leaves out zeros in the data in 80,000 pieces, each with an address of its own, which compresses far worse than the zeros.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

const BUDGET = 800_000; // bytes, brotli -q 11
const here = path.dirname(new URL(import.meta.url).pathname);
const out = process.argv[2] && path.resolve(process.argv[2]);
const tmp = mkdtempSync(path.join(tmpdir(), 'core-'));

function reader(b) {
  const r = {
    at: 0,
    unsigned() {
      let v = 0, shift = 0, x;
      do {
        x = b[r.at++];
        v += (x & 127) * 2 ** shift;
        shift += 7;
      } while (x & 128);
      return v;
    },
    signed() {
      let v = 0, shift = 0, x;
      do {
        x = b[r.at++];
        v |= (x & 127) << shift;
        shift += 7;
      } while (x & 128);
      return shift < 32 && x & 64 ? v | (-1 << shift) : v;
    },
  };
  return r;
}

function unsigned(n) {
  const o = [];
  do {
    const x = n % 128;
    n = Math.floor(n / 128);
    o.push(n ? x | 128 : x);
  } while (n);
  return Buffer.from(o);
}

function signed(n) {
  for (const o = []; ; ) {
    const x = n & 127;
    n >>= 7;
    if ((n === 0 && !(x & 64)) || (n === -1 && x & 64)) {
      o.push(x);
      return Buffer.from(o);
    }
    o.push(x | 128);
  }
}

function* sections(b) {
  const r = reader(b);
  r.at = 8;
  while (r.at < b.length) {
    const start = r.at, id = b[r.at++], size = r.unsigned();
    yield { id, whole: b.subarray(start, r.at + size), body: b.subarray(r.at, r.at + size) };
    r.at += size;
  }
}

// joined puts the pieces of the data together that little lies between. Memory is zero at the start anyway.
function joined(wasm) {
  const parts = [wasm.subarray(0, 8)];
  for (const s of sections(wasm)) {
    if (s.id !== 11) {
      parts.push(s.whole);
      continue;
    }
    const r = reader(s.body), pieces = [];
    for (let n = r.unsigned(); n > 0; n--) {
      if (r.unsigned() !== 0 || s.body[r.at++] !== 0x41) throw new Error('the linker writes data in another way than before');
      const from = r.signed();
      if (s.body[r.at++] !== 0x0b) throw new Error('the linker writes data in another way than before');
      const size = r.unsigned();
      pieces.push({ from, bytes: s.body.subarray(r.at, r.at + size) });
      r.at += size;
    }
    pieces.sort((a, b) => a.from - b.from); // they are not in order: zeros must not come over what another one holds
    const runs = [];
    for (const p of pieces) {
      const last = runs.at(-1);
      if (last && p.from < last.end) throw new Error('pieces of the data lie over one another');
      if (last && p.from - last.end < 1 << 20) last.bytes.push(Buffer.alloc(p.from - last.end), p.bytes);
      else runs.push({ from: p.from, bytes: [p.bytes] });
      runs.at(-1).end = p.from + p.bytes.length;
    }
    const body = Buffer.concat([
      unsigned(runs.length),
      ...runs.flatMap((p) => [Buffer.from([0, 0x41]), signed(p.from), Buffer.from([0x0b]), unsigned(p.end - p.from), ...p.bytes]),
    ]);
    parts.push(Buffer.from([11]), unsigned(body.length), body);
  }
  return Buffer.concat(parts);
}

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
      cwd: here, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, GOOS: 'js', GOARCH: 'wasm' },
    });
    return readFileSync(file);
  };
  const wasm = joined(build('core.wasm', '-s -w'));
  new WebAssembly.Module(wasm);
  if (out) {
    mkdirSync(path.dirname(out), { recursive: true });
    writeFileSync(out, wasm);
  }
  if (process.argv[3] !== 'quick') measure(wasm, build);
} finally {
  rmSync(tmp, { recursive: true });
}

function measure(wasm, build) {
  const small = brotli(wasm);
  if (out) writeFileSync(out + '.br', small);
  console.log('code by package, KB before compression:');
  for (const [pkg, size] of packages(build('named.wasm', '')).slice(0, 24)) console.log(`  ${String(Math.round(size / 1000)).padStart(5)}  ${pkg}`);
  console.log('parts, KB as they are and with brotli:');
  for (const s of sections(wasm)) {
    if (s.id === 10 || s.id === 11) console.log(`  ${s.id === 10 ? 'code' : 'data'}  ${Math.round(s.whole.length / 1000)}  ${Math.round(brotli(s.whole).length / 1000)}`);
  }
  console.log(`core: ${Math.round(wasm.length / 1000)} KB, with brotli ${Math.round(small.length / 1000)} KB; budget ${BUDGET / 1000} KB`);
  if (small.length > BUDGET) {
    console.error(`error: the core is ${Math.round((small.length - BUDGET) / 1000)} KB above its budget`);
    process.exitCode = 1;
  }
}
