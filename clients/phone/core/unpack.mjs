// Makes the core of the packed form of it in which it is loaded: the bytes that pack.mjs was given, every one. pack.mjs says what is left out.

const Kind = { plain: 0, number: 1, open: 2, close: 3, end: 4, branch: 5, table: 6, back: 7, entry: 8, early: 9, fixed: 10 };

/** unpack returns the wasm in the packed bytes. It throws when they are damaged or another version's; not every damage is seen here, but by the compiler. */
export function unpack(b) {
  if (b[0] !== 0 || b[1] !== 0x74 || b[2] !== 0x70 || b[3] !== 1) throw new Error('this is no packed core: load it again');
  let h = 4;
  const number = () => {
    let v = 0, shift = 0, x;
    do {
      x = b[h++];
      v |= (x & 127) << shift;
      shift += 7;
    } while (x & 128);
    return v >>> 0;
  };
  const damaged = () => new Error('the packed core is damaged: load it again');
  const within = (n, most) => {
    if (n > most) throw damaged();
    return n;
  };
  const list = (f) => Array.from({ length: within(number(), b.length) }, f);

  const out = new Uint8Array(within(number(), 1 << 26)), view = new DataView(out.buffer);
  const first = number(); // the index of function 0 in the table of functions
  const parts = list(() => [number(), number(), number(), number()]);
  const literals = list(() => ({ kind: number(), row: number(), next: number(), bytes: list(number) }));
  const merged = list(() => [number(), number()]);
  const contexts = number(), route = list(number);
  const lengths = list(number);
  const at = new Int32Array(within(lengths.length, 1 << 12));
  let sum = h;
  lengths.forEach((n, i) => {
    at[i] = sum;
    sum += n;
  });
  const symbolsEnd = h + lengths[0];
  if (sum !== b.length || merged.length + literals.length > 256) throw damaged();

  // What each symbol stands for: instructions, each with bytes, a kind and where its numbers come from.
  const steps = [], from = [0];
  literals.forEach((_, i) => { steps.push(i); from.push(steps.length); });
  for (const [x, y] of merged) {
    within(steps.length, 1 << 16);
    for (const s of [x, y]) for (let k = from[s]; k < from[s + 1]; k++) steps.push(steps[k]);
    from.push(steps.length);
  }
  const step = Uint8Array.from(steps), start = Int32Array.from(from), streams = Int16Array.from(route);
  const kinds = Uint8Array.from(literals, (l) => l.kind), rows = Uint8Array.from(literals, (l) => l.row), nexts = Uint8Array.from(literals, (l) => l.next);
  const sizes = Uint8Array.from(literals, (l) => l.bytes.length), bytes = new Uint8Array(literals.length * 8);
  literals.forEach((l, i) => bytes.set(l.bytes, i * 8));

  let o = 0;
  const put = (v) => {
    for (; v > 127; v >>>= 7) out[o++] = v & 127 | 128;
    out[o++] = v;
  };
  const putSigned = (v) => { // of what is not negative
    for (; v > 63; v >>>= 7) out[o++] = v & 127 | 128;
    out[o++] = v;
  };
  const take = (s) => {
    let p = at[s], v = 0, shift = 0, x;
    do {
      x = b[p++];
      v |= (x & 127) << shift;
      shift += 7;
    } while (x & 128);
    at[s] = p;
    return v >>> 0;
  };
  const copy = (s) => {
    let p = at[s], x;
    do out[o++] = x = b[p++]; while (x & 128);
    at[s] = p;
  };

  const code = (n) => {
    const ends = []; // of the runs in the table at the start of a function
    for (let f = 0; f < n; f++) {
      const begin = o, base = (first + f) * 65536;
      o += 5;
      let depth = 1, top = 0, context = 0;
      const groups = take(1);
      put(groups);
      for (let i = 0; i < groups; i++) {
        copy(1);
        out[o++] = b[at[1]++];
      }
      for (let open = true; open;) {
        if (at[0] >= symbolsEnd || o > out.length) throw damaged();
        const symbol = b[at[0]++];
        for (let k = start[symbol]; k < start[symbol + 1]; k++) {
          const l = step[k], size = sizes[l];
          for (let i = l * 8; i < l * 8 + size; i++) out[o++] = bytes[i];
          const s = streams[rows[l] * contexts + context];
          context = nexts[l];
          switch (kinds[l]) {
            case Kind.number: copy(s); break;
            case Kind.open: depth++; break;
            case Kind.close: depth--; break;
            case Kind.end: open = false; break;
            case Kind.branch: put(depth - 1 - take(s)); break;
            case Kind.table: {
              const runs = within(take(s) + depth | 0, 1 << 16);
              let total = 0;
              ends.length = 0;
              for (let i = 0; i < runs; i++) ends.push(total = within(total + take(s), 1 << 16));
              put(total - 1);
              for (let i = 0, v = 0; i < runs; i++) for (; v < ends[i]; v++) put(i);
              top = depth;
              break;
            }
            case Kind.back: putSigned(base + ends[top - depth] - 1); break;
            case Kind.entry: putSigned(base); break;
            case Kind.early: putSigned(base + ends[top - depth] - 1 - take(s)); break;
            case Kind.fixed: for (let i = 0; i < 8; i++) out[o++] = b[at[s]++];
          }
        }
      }
      const size = o - begin - 5;
      o = begin;
      put(size);
      out.copyWithin(o, begin + 5, begin + 5 + size);
      o += size;
    }
  };

  // What Go's runtime looks functions up by. Tables over program counters lie in the order in which they are first asked for.
  const functions = (n, pctab, end) => {
    const known = [];
    let fresh = 1;
    const counters = (s) => {
      const v = take(s);
      if (v === 0) return 0;
      if (v > 1) return known[v - 2];
      known.push(fresh);
      const was = fresh;
      for (let p = pctab + fresh, begun = false; within(p, out.length) >= 0; begun = true) {
        const zero = out[p] === 0;
        while (out[p++] & 128);
        if (zero && begun) {
          fresh = p - pctab;
          return was;
        }
        while (out[p++] & 128);
      }
    };
    const table = o, last = [];
    const u32 = (v) => {
      view.setUint32(o, v, true);
      o += 4;
    };
    let f = table + (n * 8 + 4 + 7 & ~7);
    for (let i = 0; i < n; i++) {
      o = table + i * 8;
      u32(first + i);
      u32(f - table);
      o = f;
      u32(first + i);
      for (let s = 2; s < 5; s++) u32(take(s));
      u32(counters(5));
      o += 8;
      const pcdata = take(6);
      u32(pcdata);
      o += 8;
      out[o++] = take(7);
      out[o++] = take(8);
      const funcdata = out[++o] = take(9);
      o++;
      for (let k = 0; k < pcdata; k++) u32(counters(10 + Math.min(k, 3)));
      for (let k = 0; k < funcdata; k++) {
        const v = take(14 + Math.min(k, 3));
        if (v === 0) u32(0xffffffff);
        else u32(last[k] = (last[k] ?? 0) + ((v - 1) >>> 1 ^ -((v - 1) & 1)));
      }
      f = table + (o - table + 7 & ~7);
    }
    o = table + n * 8;
    u32(end);
    o = f;
  };

  for (const [kind, n, ...more] of parts) {
    within(n, out.length);
    if (kind === 0) {
      out.set(b.subarray(at[18], at[18] + n), o);
      at[18] += n;
      o += n;
    } else if (kind === 1) code(n);
    else if (kind === 2) for (let i = 0; i < n; i++) put(more[0] + i);
    else if (kind === 3) functions(n, more[0], more[1]);
    else for (let i = 0; i < n; i++, o += 20) view.setUint32(o, i >>> 4, true);
  }
  if (o !== out.length) throw damaged();
  return out;
}
