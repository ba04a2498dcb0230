//go:build !cgo || !(linux || darwin) || !(amd64 || arm64)

package main

const reference = false
