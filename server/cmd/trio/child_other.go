//go:build !linux

package main

import "syscall"

// withParent has a child be killed when this process ends, where a system can.
func withParent() *syscall.SysProcAttr { return nil }
