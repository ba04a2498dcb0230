// The other side of package sql: what Go calls as module "trio", over official SQLite WASM. Bytes go from one WebAssembly
// memory to the other; texts and numbers never become JavaScript values. Numbers that are returned: see each function; a
// negative one is an extended result code of SQLite, of which sql_error has the text.
//
// bridge(sqlite3, {memory, vfs, beforeOpen}) returns the functions; memory() has to return Go's memory (go._inst.exports.mem). vfs names
// the file system of SQLite's to use; beforeOpen(path) is called before a database is opened, and may throw.

const HEAD = 40;
const ROW = 100, DONE = 101, NOMEM = 7, MISUSE = 21, IOERR = 10;
const INT = 1, FLOAT = 2, TEXT = 3, BLOB = 4, NULL = 5;

export function bridge(sqlite3, { memory, vfs, beforeOpen }) {
  const { capi, wasm } = sqlite3;
  const x = wasm.exports;
  const utf8 = new TextEncoder(), text = new TextDecoder();
  const dbs = [null], stmts = [null]; // by number; free numbers are taken again
  let lastError = '';

  let view = null; // on Go's memory, until that grows
  const go = () => {
    const m = memory();
    if (!view || view.buffer !== m.buffer) view = new DataView(m.buffer);
    return view;
  };
  const goBytes = (p, n) => new Uint8Array(memory().buffer, p, n);
  const put = (list, v) => {
    let i = list.indexOf(undefined, 1);
    if (i < 0) i = list.length;
    list[i] = v;
    return i;
  };
  const fail = (rc, why) => {
    lastError = why;
    return -rc;
  };
  const failed = (db, rc) => {
    const code = db ? x.sqlite3_extended_errcode(db) : rc;
    return fail(code || rc, db ? wasm.cstrToJs(x.sqlite3_errmsg(db)) : wasm.cstrToJs(x.sqlite3_errstr(rc)));
  };

  // A piece of SQLite's memory that grows: parameters, and texts of statements.
  let room = 0, roomSize = 0;
  const scratch = (n) => {
    if (n > roomSize) {
      if (room) x.sqlite3_free(room);
      room = x.sqlite3_malloc(n * 2);
      roomSize = room ? n * 2 : 0;
    }
    return room;
  };
  const copyIn = (p, n) => {
    const to = scratch(n + 1);
    if (to) {
      const heap = wasm.heap8u();
      heap.set(goBytes(p, n), to);
      heap[to + n] = 0;
    }
    return to;
  };
  const out = (p, cap, s) => {
    const b = utf8.encode(s).subarray(0, cap);
    goBytes(p, b.length).set(b);
    return b.length;
  };

  function bind(s, p, n) {
    if (n <= 4) return 0;
    const at = copyIn(p, n);
    if (!at) return NOMEM;
    const v = go(); // not SQLite's memory: that may grow with what is bound, and takes its views with it
    const count = v.getUint32(p, true);
    let o = 4, rc = 0;
    for (let i = 1; i <= count && !rc; i++) {
      const tag = v.getUint8(p + o++);
      if (tag === INT) {
        rc = x.sqlite3_bind_int64(s.p, i, v.getBigInt64(p + o, true));
        o += 8;
      } else if (tag === NULL) {
        rc = x.sqlite3_bind_null(s.p, i);
      } else {
        const len = v.getUint32(p + o, true);
        o += 4;
        if (tag === TEXT) rc = x.sqlite3_bind_text(s.p, i, at + o, len, -1);
        else if (len === 0) rc = x.sqlite3_bind_zeroblob(s.p, i, 0);
        else rc = x.sqlite3_bind_blob(s.p, i, at + o, len, -1);
        o += len;
      }
    }
    return rc;
  }

  // rows steps through a statement, with rows into the buffer until it is full, or most of them are there (0: none is kept,
  // -1: all), and writes the head. It resets a statement that is over.
  function rows(s, p, cap, most) {
    let at = HEAD, n = 0, need = 0, rc = 0;
    for (;;) {
      if (!s.row) {
        rc = x.sqlite3_step(s.p);
        if (rc !== ROW) break;
      }
      s.row = true;
      if (most === 0) {
        s.row = false;
        continue;
      }
      let size = 0;
      for (let i = 0; i < s.columns; i++) {
        const t = x.sqlite3_column_type(s.p, i);
        s.types[i] = t;
        if (t === INT || t === FLOAT) size += 9;
        else if (t === NULL) size++;
        else {
          s.from[i] = t === TEXT ? x.sqlite3_column_text(s.p, i) : x.sqlite3_column_blob(s.p, i);
          size += 5 + (s.len[i] = x.sqlite3_column_bytes(s.p, i));
        }
      }
      if (at + size > cap) {
        need = size;
        break;
      }
      const v = go();
      for (let i = 0, o = p + at; i < s.columns; i++) {
        const t = s.types[i];
        v.setUint8(o++, t);
        if (t === INT) {
          v.setBigInt64(o, x.sqlite3_column_int64(s.p, i), true);
          o += 8;
        } else if (t === FLOAT) {
          v.setFloat64(o, x.sqlite3_column_double(s.p, i), true);
          o += 8;
        } else if (t !== NULL) {
          const len = s.len[i];
          v.setUint32(o, len, true);
          o += 4;
          if (len) goBytes(o, len).set(wasm.heap8u().subarray(s.from[i], s.from[i] + len));
          o += len;
        }
      }
      at += size;
      s.row = false;
      if (++n === most) break;
    }
    let ret = at;
    if (rc !== 0 && rc !== ROW && rc !== DONE) ret = failed(s.db, rc);
    const done = ret < 0 || rc === DONE || n === most;
    if (done) reset(s);
    const v = go();
    v.setUint32(p, ret < 0 ? 0 : n, true);
    v.setUint32(p + 4, done ? 0 : 1, true);
    v.setUint32(p + 8, need, true);
    v.setUint32(p + 12, s.columns, true);
    v.setUint32(p + 16, x.sqlite3_get_autocommit(s.db) ? 0 : 1, true);
    v.setBigInt64(p + 24, x.sqlite3_changes64(s.db), true);
    v.setBigInt64(p + 32, x.sqlite3_last_insert_rowid(s.db), true);
    return ret;
  }

  function reset(s) {
    x.sqlite3_reset(s.p);
    x.sqlite3_clear_bindings(s.p);
    s.row = false;
  }

  // An exception must not unwind Go's stack.
  const guard = (f) => (...args) => {
    try {
      return f(...args);
    } catch (e) {
      return fail(e?.resultCode || IOERR, String(e?.message ?? e));
    }
  };

  const functions = {
    // sql_open returns the number of the database.
    sql_open(path, len) {
      const name = text.decode(goBytes(path, len));
      beforeOpen?.(name);
      const stack = wasm.pstack.pointer;
      try {
        const pdb = wasm.pstack.allocPtr();
        const flags = capi.SQLITE_OPEN_READWRITE | capi.SQLITE_OPEN_CREATE | capi.SQLITE_OPEN_EXRESCODE;
        const rc = capi.sqlite3_open_v2(name, pdb, flags, vfs || null);
        const db = wasm.peekPtr(pdb);
        if (rc) {
          const code = failed(db, rc);
          x.sqlite3_close_v2(db);
          return code;
        }
        // One connection has the file for itself, so that the write-ahead log needs no shared memory.
        const mode = capi.sqlite3_exec(db, 'PRAGMA locking_mode=EXCLUSIVE', 0, 0, 0);
        if (mode) {
          const code = failed(db, mode);
          x.sqlite3_close_v2(db);
          return code;
        }
        return put(dbs, db);
      } finally {
        wasm.pstack.restore(stack);
      }
    },
    sql_close(n) {
      const db = dbs[n];
      dbs[n] = undefined;
      return -x.sqlite3_close_v2(db);
    },
    sql_in_tx: (n) => (x.sqlite3_get_autocommit(dbs[n]) ? 0 : 1),
    // sql_script runs statements up to the first that fails.
    sql_script(n, script, len) {
      const rc = capi.sqlite3_exec(dbs[n], text.decode(goBytes(script, len)), 0, 0, 0);
      return rc ? failed(dbs[n], rc) : 0;
    },
    // sql_prepare returns the number of the statement.
    sql_prepare(n, query, len) {
      const stack = wasm.pstack.pointer;
      try {
        const at = copyIn(query, len), pstmt = wasm.pstack.allocPtr();
        if (!at) return fail(NOMEM, 'out of memory');
        const rc = x.sqlite3_prepare_v3(dbs[n], at, len, capi.SQLITE_PREPARE_PERSISTENT, pstmt, 0);
        if (rc) return failed(dbs[n], rc);
        const p = wasm.peekPtr(pstmt);
        if (!p) return fail(MISUSE, 'there is no statement to prepare');
        return put(stmts, { p, db: dbs[n], columns: x.sqlite3_column_count(p), types: [], from: [], len: [], row: false });
      } finally {
        wasm.pstack.restore(stack);
      }
    },
    // sql_run binds parameters, and begins. It returns how many bytes were written.
    sql_run(n, args, argsLen, p, cap, most) {
      const s = stmts[n];
      const rc = bind(s, args, argsLen);
      if (rc) {
        const code = rc === NOMEM ? fail(NOMEM, 'out of memory') : failed(s.db, rc);
        reset(s);
        goBytes(p, HEAD).fill(0);
        go().setUint32(p + 16, x.sqlite3_get_autocommit(s.db) ? 0 : 1, true);
        return code;
      }
      s.columns = x.sqlite3_column_count(s.p);
      return rows(s, p, cap, most);
    },
    sql_more: (n, p, cap) => rows(stmts[n], p, cap, -1),
    sql_columns(n, p, cap) {
      const s = stmts[n], names = [];
      for (let i = 0; i < s.columns; i++) names.push(wasm.cstrToJs(x.sqlite3_column_name(s.p, i)));
      return out(p, cap, names.join('\n'));
    },
    sql_reset(n) {
      reset(stmts[n]);
    },
    sql_finalize(n) {
      const s = stmts[n];
      stmts[n] = undefined;
      x.sqlite3_finalize(s.p);
    },
    // sql_error writes the text of the last error, and returns its length.
    sql_error: (p, cap) => out(p, cap, lastError),
  };
  for (const k in functions) functions[k] = guard(functions[k]);
  return functions;
}
