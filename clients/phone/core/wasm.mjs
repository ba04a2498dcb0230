// What Go's linker writes, read and written: numbers, sections, and the data that lies in memory at the start.

export function reader(b) {
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

export function unsigned(n) {
  const o = [];
  do {
    const x = n % 128;
    n = Math.floor(n / 128);
    o.push(n ? x | 128 : x);
  } while (n);
  return Buffer.from(o);
}

export function signed(n) {
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

export function* sections(b) {
  const r = reader(b);
  r.at = 8;
  while (r.at < b.length) {
    const start = r.at, id = b[r.at++], size = r.unsigned();
    yield { id, whole: b.subarray(start, r.at + size), body: b.subarray(r.at, r.at + size) };
    r.at += size;
  }
}

// section returns a section as it lies in a file.
export function section(id, body) {
  return Buffer.concat([Buffer.from([id]), unsigned(body.length), body]);
}

// joined puts the pieces of the data together that little lies between. Memory is zero at the start anyway.
export function joined(wasm) {
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
    parts.push(section(11, body));
  }
  return Buffer.concat(parts);
}

// pclntab returns where in wasm the tables lie that Go's runtime looks functions up by.
export function pclntab(wasm) {
  let at = 0;
  for (const s of sections(wasm)) {
    if (s.id === 11) at = s.body.byteOffset - wasm.byteOffset;
  }
  const view = new DataView(wasm.buffer, wasm.byteOffset, wasm.length);
  const head = wasm.indexOf(Buffer.from([0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8]), at);
  if (head < 0) throw new Error('the linker writes the tables of functions in another way than before');
  const word = (i) => Number(view.getBigUint64(head + 8 + 8 * i, true));
  const [names, units, files, counters, table] = [3, 4, 5, 6, 7].map((i) => head + word(i));
  return { view, n: word(0), names, units, files, counters, table };
}

// functions yields what the tables say of each function: where its record lies, and the records after it.
export function* functions({ view, n, table }) {
  for (let i = 0; i < n; i++) {
    const at = table + view.getUint32(table + 8 * i + 4, true);
    const pcdata = view.getUint32(at + 28, true), funcdata = view.getUint8(at + 43);
    yield { i, at, pcdata, funcdata, end: at + 44 + 4 * (pcdata + funcdata) };
  }
}

// stripped blanks what Go's runtime has for printing only: names, files and lines of functions. What it decides by stays: whether a
// name begins with "runtime.", what reflect's two stubs are called, and that wrappers of methods are called like methods.
// Tables over program counters that are left move together, in the order in which they are first asked for.
export function stripped(wasm) {
  const it = pclntab(wasm), { view } = it;
  const nameAt = (off) => {
    const from = it.names + off;
    return wasm.toString('latin1', from, wasm.indexOf(0, from));
  };
  const kept = new Map([['', 0]]);
  let text = '\0';
  const keep = (name) => {
    if (!kept.has(name)) {
      kept.set(name, text.length);
      text += `${name}\0`;
    }
    return kept.get(name);
  };
  const counters = Buffer.from(wasm.subarray(it.counters, it.table)), moved = new Map([[0, 0]]);
  let fresh = 1;
  const tables = [counters.subarray(0, 1)];
  const move = (at) => {
    const off = view.getUint32(at, true);
    if (!moved.has(off)) {
      let p = off;
      for (let begun = false; ; begun = true) {
        const zero = counters[p] === 0;
        while (counters[p++] & 128);
        if (zero && begun) break;
        while (counters[p++] & 128);
      }
      tables.push(counters.subarray(off, p));
      moved.set(off, fresh);
      fresh += p - off;
    }
    view.setUint32(at, moved.get(off), true);
  };
  const WRAPPER = 23; // abi.FuncIDWrapper
  for (const f of functions(it)) {
    const name = nameAt(view.getInt32(f.at + 4, true));
    const short = view.getUint8(f.at + 40) === WRAPPER ? 'go.(*value).method' : name.startsWith('runtime.') ? 'runtime.'
      : name === 'reflect.makeFuncStub' || name === 'reflect.methodValueCall' ? name : '';
    view.setInt32(f.at + 4, keep(short), true);
    move(f.at + 16);
    for (const at of [20, 24, 32, 36]) view.setUint32(f.at + at, 0, true); // its file, lines, unit, first line
    for (let k = 0; k < f.pcdata; k++) move(f.at + 44 + 4 * k);
  }
  wasm.fill(0, it.names, it.table);
  wasm.write(text, it.names, 'latin1');
  Buffer.concat(tables).copy(wasm, it.counters);
  return wasm;
}
