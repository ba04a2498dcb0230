// Packs the core for its way to a phone. brotli alone does not see how Go's code is made: numbers of all sorts lie between the
// instructions, each alike to others of its sort and to nothing beside it. Packed, instructions lie in one stream, those that often follow
// one another as one symbol, and the numbers in streams by instruction and the one before it. Left out is what follows from
// the rest: addresses that calls come back to, the table of blocks at the start of a function, how deep a branch leaves, and most of
// the tables that Go's runtime looks functions up by. Nothing else is done to it: unpack.mjs makes the same bytes again, and
// pack asks it to.
import { functions, pclntab, reader, sections, unsigned } from './wasm.mjs';
import { unpack } from './unpack.mjs';

const PLAIN = 0, NUMBER = 1, OPEN = 2, CLOSE = 3, END = 4, BRANCH = 5, TABLE = 6, BACK = 7, ENTRY = 8, EARLY = 9, FIXED = 10;
const OWN = 32; // as many numbers, those most met, are part of their instruction
const SYMBOLS = 256;
const FIRST = 0x1000; // the index of function 0 in Go's table of functions
const STREAMS = 19; // before those of numbers in code: symbols, locals, tables of functions, and what lies as it was
const SMALL = 64; // bytes: a stream below it goes with others of its instruction

export function pack(wasm) {
  const streams = Array.from({ length: STREAMS }, () => []); // of bytes
  const parts = [];
  const raw = (from, to) => {
    if (to <= from) return;
    parts.push([0, to - from, 0, 0]);
    streams[18].push(wasm.subarray(from, to));
  };
  const head = { literals: [], merged: [], contexts: 0, route: [] };
  let done = 0;
  for (const s of sections(wasm)) {
    const at = s.body.byteOffset - wasm.byteOffset, r = reader(s.body);
    if (s.id === 9) { // functions, counted
      const n = s.body.indexOf(0x0b) + 1;
      r.at = n;
      const count = r.unsigned(), from = r.at, start = r.unsigned();
      for (let i = 1; i < count; i++) if (r.unsigned() !== start + i) throw changed('the table of functions');
      raw(done, at + from);
      parts.push([2, count, start, 0]);
      done = at + r.at;
    }
    if (s.id === 10) {
      const n = r.unsigned();
      raw(done, at + r.at);
      parts.push([1, n, 0, 0]);
      packCode(s.body, r, n, streams, head);
      done = at + s.body.length;
    }
    if (s.id === 11) {
      const it = pclntab(wasm);
      raw(done, it.table);
      const { part, end } = packFunctions(wasm, it, streams);
      parts.push(part);
      const find = lookups(it.view, end, it.n);
      raw(end, find.from);
      parts.push([4, find.pieces, 0, 0]);
      done = find.end;
    }
  }
  raw(done, wasm.length);
  const lists = [
    unsigned(wasm.length), unsigned(FIRST),
    unsigned(parts.length), ...parts.flat().map(unsigned),
    unsigned(head.literals.length), ...head.literals.flatMap((l) => [l.kind, l.row, l.next, l.bytes.length, ...l.bytes]).map(unsigned),
    unsigned(head.merged.length), ...head.merged.flat().map(unsigned),
    unsigned(head.contexts), unsigned(head.route.length), ...head.route.map(unsigned),
  ];
  const bodies = streams.map((s) => Buffer.concat(s));
  lists.push(unsigned(bodies.length), ...bodies.map((b) => unsigned(b.length)));
  const packed = Buffer.concat([Buffer.from([0, 0x74, 0x70, 1]), ...lists, ...bodies]);
  if (!wasm.equals(unpack(packed))) throw new Error('what was packed is not what comes out');
  return packed;
}

function changed(what) {
  return new Error(`the linker writes ${what} in another way than before`);
}

// tokens yields the instructions of the code, each with what is left of its number.
function* tokens(b, r, n) {
  const after = (p) => {
    while (b[p] & 128) p++;
    return p + 1;
  };
  const number = (p) => {
    const at = reader(b);
    at.at = p;
    return at.unsigned();
  };
  for (let f = 0; f < n; f++) {
    const size = r.unsigned(), end = r.at + size;
    let p = r.at;
    for (let groups = b[p++]; groups > 0; groups--) p = after(p) + 1;
    yield { locals: b.subarray(r.at, p) };
    const base = (FIRST + f) * 65536;
    let depth = 1, top = 0, ends = null;
    while (p < end) {
      const op = b[p], from = p++;
      let t = { kind: PLAIN, bytes: null, left: null };
      if (op >= 2 && op <= 4) {
        depth++;
        p++;
        t.kind = OPEN;
      } else if (op === 0x0b) {
        t.kind = --depth === 0 ? END : CLOSE;
      } else if (op === 0x0c || op === 0x0d) {
        t = { kind: BRANCH, bytes: [op], left: unsigned(depth - 1 - number(p)) };
        p = after(p);
      } else if (op === 0x0e) {
        const count = number(p);
        p = after(p);
        ends = [];
        let v = 0;
        for (let i = 0; i <= count; i++, p = after(p)) {
          const next = number(p);
          if (next === v + 1) ends.push(i);
          else if (next !== v) throw changed('the tables of blocks');
          v = next;
        }
        ends.push(count + 1);
        const runs = ends.map((e, i) => e - (ends[i - 1] ?? 0));
        if (runs.some((run) => run === 0)) throw changed('the tables of blocks');
        t = { kind: TABLE, bytes: [op], left: Buffer.concat([unsigned((ends.length - depth) >>> 0), ...runs.map(unsigned)]) };
        top = depth;
      } else if (op === 0x10 || (op >= 0x20 && op <= 0x24) || op === 0x41) {
        t = { kind: NUMBER, bytes: [op], left: b.subarray(p, after(p)) };
        p = after(p);
      } else if (op === 0x42) {
        t = { kind: NUMBER, bytes: [op], left: b.subarray(p, after(p)) };
        const v = number(p), q = after(p), back = ends && ends[top - depth] !== undefined ? base + ends[top - depth] - 1 : 0;
        if (ends && b[q] === 0x37 && v >= base && v <= back) {
          if (v === base) t = { kind: ENTRY, bytes: [op], left: null };
          else if (v === back) t = { kind: BACK, bytes: [op], left: null };
          else t = { kind: EARLY, bytes: [op], left: unsigned(back - v) };
        }
        p = q;
      } else if (op === 0x11) {
        p = after(after(p));
      } else if (op >= 0x28 && op <= 0x3e) {
        p = after(p);
        t = { kind: NUMBER, bytes: [...b.subarray(from, p)], left: b.subarray(p, after(p)) };
        p = after(p);
      } else if (op === 0x3f || op === 0x40) {
        p++;
      } else if (op === 0x43) {
        p += 4;
      } else if (op === 0x44) {
        t = { kind: FIXED, bytes: [op], left: b.subarray(p, p + 8) };
        p += 8;
      } else if (op === 0xfc) {
        const more = b[p++];
        if (more === 10) p += 2;
        else if (more === 11) p += 1;
        else if (more > 7) throw changed(`instruction 0xfc ${more}`);
      } else if (op > 0xc4) {
        throw changed(`instruction ${op}`);
      }
      t.bytes ??= [...b.subarray(from, p)];
      yield t;
    }
    r.at = end;
  }
}

function packCode(body, r, n, streams, head) {
  const all = [], met = new Map();
  for (const t of tokens(body, r, n)) {
    if (t.locals) {
      streams[1].push(t.locals);
      continue;
    }
    t.name = `${t.kind}:${t.bytes}`;
    if (t.kind === NUMBER) {
      t.full = `${PLAIN}:${[...t.bytes, ...t.left]}`;
      if (t.left.length < 4) met.set(t.full, (met.get(t.full) ?? 0) + 1);
    }
    all.push(t);
  }
  const own = new Set([...met].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, OWN).map((m) => m[0]));
  const literals = new Map(), rows = new Map(), contexts = new Map([['', 0]]), byRow = new Map();
  const index = (map, key) => {
    if (!map.has(key)) map.set(key, map.size);
    return map.get(key);
  };
  let context = 0;
  let symbols = new Uint8Array(all.length);
  all.forEach((t, i) => {
    const folded = t.full && own.has(t.full);
    const name = folded ? t.full : t.name;
    let l = literals.get(name);
    if (!l) {
      // The first locals are the block to go on at, the stack and what is worked on: they say what comes next.
      const local = t.bytes[0] === 0x20 && t.left?.[0] < 3 ? `.${t.left[0]}` : '';
      l = { id: literals.size, kind: folded ? PLAIN : t.kind, row: 0, next: 0, bytes: folded ? [...t.bytes, ...t.left] : t.bytes, base: t.name, local };
      if (l.kind !== PLAIN && t.left) l.row = index(rows, name) + 1;
      l.next = index(contexts, `${t.bytes}${folded ? local : ''}`);
      literals.set(name, l);
    }
    if (l.id > 255) throw new Error('more instructions than symbols');
    symbols[i] = l.id;
    if (t.left && !folded) {
      const key = l.row * 1000 + context;
      if (!byRow.has(key)) byRow.set(key, []);
      byRow.get(key).push(t.left);
    }
    context = l.kind === END ? 0 : l.next;
  });
  head.literals = [...literals.values()];
  head.contexts = contexts.size;
  head.route = new Array((rows.size + 1) * contexts.size).fill(0);
  // A stream for each instruction after each other one, but for those that hardly meet.
  const keys = [...byRow.keys()].sort((a, b) => a - b), few = new Map();
  for (const key of keys) {
    const row = Math.floor(key / 1000), c = key % 1000;
    const size = byRow.get(key).reduce((sum, x) => sum + x.length, 0);
    let s;
    if (size < SMALL) {
      if (!few.has(row)) few.set(row, streams.push([]) - 1);
      s = few.get(row);
    } else s = streams.push([]) - 1;
    head.route[row * contexts.size + c] = s;
  }
  context = 0;
  all.forEach((t, i) => {
    const l = head.literals[symbols[i]];
    if (t.left && l.kind !== PLAIN) streams[head.route[l.row * contexts.size + context]].push(t.left);
    context = l.kind === END ? 0 : l.next;
  });
  // Those two that most often follow one another become one, again and again. None goes over the end of a function.
  const over = new Array(SYMBOLS).fill(false);
  for (const l of head.literals) over[l.id] = l.kind === END;
  for (let next = literals.size; next < SYMBOLS; next++) {
    const count = new Uint32Array(SYMBOLS * SYMBOLS);
    for (let i = 0; i + 1 < symbols.length; i++) if (!over[symbols[i]]) count[symbols[i] * SYMBOLS + symbols[i + 1]]++;
    let best = 0;
    for (let k = 1; k < count.length; k++) if (count[k] > count[best]) best = k;
    const x = best >> 8, y = best & 255, left = new Uint8Array(symbols.length);
    let m = 0;
    for (let i = 0; i < symbols.length; i++) {
      if (symbols[i] === x && symbols[i + 1] === y) {
        left[m++] = next;
        i++;
      } else left[m++] = symbols[i];
    }
    symbols = left.subarray(0, m);
    head.merged.push([x, y]);
    over[next] = over[y];
  }
  streams[0].push(Buffer.from(symbols));
}

// packFunctions takes apart what Go's runtime has of each function, and says where it ends.
function packFunctions(wasm, it, streams) {
  const { view, n, table } = it;
  const known = new Map(), last = [];
  const put = (s, v) => streams[s].push(unsigned(v >>> 0));
  const counters = (s, off) => {
    if (off === 0) put(s, 0);
    else if (known.has(off)) put(s, known.get(off) + 2);
    else {
      known.set(off, known.size);
      put(s, 1);
    }
  };
  const even = (at) => table + ((at - table + 7) & ~7);
  let end = even(table + n * 8 + 4);
  for (const f of functions(it)) {
    const u32 = (at) => view.getUint32(f.at + at, true);
    if (f.at !== end || u32(0) !== FIRST + f.i || view.getUint32(table + f.i * 8, true) !== FIRST + f.i) throw changed('the tables of functions');
    for (let s = 2; s < 5; s++) put(s, u32(4 * (s - 1)));
    counters(5, u32(16));
    put(6, f.pcdata);
    streams[7].push(wasm.subarray(f.at + 40, f.at + 41));
    streams[8].push(wasm.subarray(f.at + 41, f.at + 42));
    put(9, f.funcdata);
    for (let k = 0; k < f.pcdata; k++) counters(10 + Math.min(k, 3), u32(44 + 4 * k));
    for (let k = 0; k < f.funcdata; k++) {
      const v = u32(44 + 4 * (f.pcdata + k)), s = 14 + Math.min(k, 3);
      if (v === 0xffffffff) {
        put(s, 0);
        continue;
      }
      const d = v - (last[k] ?? 0);
      put(s, (d << 1 ^ d >> 31) + 1);
      last[k] = v;
    }
    end = even(f.end);
  }
  return { part: [3, n, it.counters, view.getUint32(table + n * 8, true)], end };
}

// lookups finds the table with 20 bytes for each 4,096 program counters, of which a function has 65,536: the number of the function, and zeros.
function lookups(view, from, n) {
  const fits = (p, i) => view.getUint32(p + 20 * i, true) === i >>> 4 && [4, 8, 12, 16].every((k) => view.getUint32(p + 20 * i + k, true) === 0);
  let at = from, i = 0;
  for (; i < 33; at++) {
    if (at + 20 * 33 > view.byteLength) throw changed('the table to find functions by');
    for (i = 0; i < 33 && fits(at, i); i++);
  }
  at--;
  while (i < n * 16 && fits(at, i)) i++;
  return { from: at, pieces: i, end: at + 20 * i };
}
