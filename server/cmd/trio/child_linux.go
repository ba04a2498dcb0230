package main

import "syscall"

// withParent has a child be killed when this process ends, however it ends.
func withParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
