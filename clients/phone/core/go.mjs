// The Go that builds the core. The app is committed as it was built, and whoever builds it anew gets the same bytes: so it is one version
// exactly, which Go fetches where another one is installed, with no settings of its own.
export const environment = { ...process.env, GOTOOLCHAIN: 'go1.26.8', GOROOT: '', GOFLAGS: '', GOEXPERIMENT: '', GOWASM: '' };
