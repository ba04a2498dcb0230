//go:build !linux

package store_test

func childMore(string, string) { panic("no such child") }
