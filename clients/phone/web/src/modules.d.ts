declare module '@goroot/wasm_exec.js'
declare module '*/bridge.mjs' {
  export function bridge(sqlite3: unknown, how: { memory: () => WebAssembly.Memory; vfs: string }): WebAssembly.ModuleImports
}
declare module '*/unpack.mjs' {
  export function unpack(packed: Uint8Array): Uint8Array<ArrayBuffer>
}
