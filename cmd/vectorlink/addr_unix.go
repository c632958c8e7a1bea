//go:build !windows

package main

import "syscall"

// addressTaken is the system's error for an address that is in use.
const addressTaken = syscall.EADDRINUSE
