package main

import "golang.org/x/sys/windows"

// addressTaken is the system's error for an address that is in use.
const addressTaken = windows.WSAEADDRINUSE
