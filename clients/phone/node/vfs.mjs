// A file system for SQLite WASM on Node's files, so that the tests of the replica run on real files there: the package's own build for
// Node keeps databases in memory only. Like opfs-sahpool it has no shared memory and no locks between processes.
import fs from 'node:fs';
import path from 'node:path';
import os from 'node:os';

export function installNodeVfs(sqlite3, name = 'node') {
  const { capi, wasm } = sqlite3;
  const files = new Map(); // by pointer
  const full = (e) => (e.code === 'ENOSPC' || e.code === 'EDQUOT' ? capi.SQLITE_FULL : 0);
  const attempt = (rc, f) => {
    try {
      return f() ?? 0;
    } catch (e) {
      return full(e) || rc;
    }
  };

  const io = new capi.sqlite3_io_methods();
  io.$iVersion = 1;
  const ioMethods = {
    xCheckReservedLock: (_, out) => (wasm.poke32(out, 0), 0),
    xClose: (p) =>
      attempt(capi.SQLITE_IOERR_CLOSE, () => {
        const f = files.get(p);
        files.delete(p);
        fs.closeSync(f.fd);
        if (f.temporary) fs.rmSync(f.path, { force: true });
      }),
    xDeviceCharacteristics: () => capi.SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN,
    xFileControl: () => capi.SQLITE_NOTFOUND,
    xFileSize: (p, out) =>
      attempt(capi.SQLITE_IOERR_FSTAT, () => {
        wasm.poke64(out, BigInt(fs.fstatSync(files.get(p).fd).size));
      }),
    xLock: () => 0,
    xUnlock: () => 0,
    xRead: (p, to, n, at) =>
      attempt(capi.SQLITE_IOERR_READ, () => {
        const heap = wasm.heap8u();
        const got = fs.readSync(files.get(p).fd, heap, Number(to), n, Number(at));
        if (got === n) return 0;
        heap.fill(0, Number(to) + got, Number(to) + n);
        return capi.SQLITE_IOERR_SHORT_READ;
      }),
    xSectorSize: () => 4096,
    xSync: () => 0, // what is written outlives the process, and no test here cuts the power
    xTruncate: (p, size) => attempt(capi.SQLITE_IOERR_TRUNCATE, () => fs.ftruncateSync(files.get(p).fd, Number(size))),
    xWrite: (p, from, n, at) =>
      attempt(capi.SQLITE_IOERR_WRITE, () => {
        if (fs.writeSync(files.get(p).fd, wasm.heap8u(), Number(from), n, Number(at)) !== n) return capi.SQLITE_FULL;
      }),
  };

  const vfs = new capi.sqlite3_vfs();
  const usual = new capi.sqlite3_vfs(capi.sqlite3_vfs_find(null));
  vfs.$iVersion = 2;
  vfs.$szOsFile = capi.sqlite3_file.structInfo.sizeof;
  vfs.$mxPathname = 1024;
  vfs.$zName = wasm.allocCString(name);
  vfs.$xRandomness = usual.$xRandomness;
  usual.dispose();
  const vfsMethods = {
    xAccess: (_, zName, flags, out) => (wasm.poke32(out, fs.existsSync(wasm.cstrToJs(zName)) ? 1 : 0), 0),
    xCurrentTime: (_, out) => (wasm.poke(out, 2440587.5 + Date.now() / 864e5, 'double'), 0),
    xCurrentTimeInt64: (_, out) => (wasm.poke(out, BigInt(Math.round(2440587.5 * 864e5) + Date.now()), 'i64'), 0),
    xDelete: (_, zName) => attempt(capi.SQLITE_IOERR_DELETE, () => fs.rmSync(wasm.cstrToJs(zName), { force: true })),
    xFullPathname: (_, zName, n, out) => {
      const z = wasm.allocCString(path.resolve(wasm.cstrToJs(zName)));
      const rc = wasm.cstrncpy(out, z, n) < n ? 0 : capi.SQLITE_CANTOPEN;
      wasm.dealloc(z);
      return rc;
    },
    xGetLastError: () => 0,
    xSleep: () => 0,
    xOpen: (_, zName, p, flags, outFlags) =>
      attempt(capi.SQLITE_CANTOPEN, () => {
        const temporary = !zName || !wasm.peek8(zName);
        const at = temporary ? path.join(os.tmpdir(), `sqlite-${process.pid}-${Math.random().toString(36).slice(2)}`) : wasm.cstrToJs(zName);
        let how = fs.constants.O_RDWR;
        if (flags & capi.SQLITE_OPEN_CREATE) how |= fs.constants.O_CREAT;
        if (flags & capi.SQLITE_OPEN_EXCLUSIVE) how |= fs.constants.O_EXCL;
        const fd = fs.openSync(at, how, 0o600);
        files.set(p, { fd, path: at, temporary: temporary || (flags & capi.SQLITE_OPEN_DELETEONCLOSE) !== 0 });
        const file = new capi.sqlite3_file(p);
        file.$pMethods = io.pointer;
        file.dispose();
        if (outFlags) wasm.poke32(outFlags, flags);
      }),
  };
  sqlite3.vfs.installVfs({ io: { struct: io, methods: ioMethods }, vfs: { struct: vfs, methods: vfsMethods } });
  return name;
}
