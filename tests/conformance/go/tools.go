//go:build tools

// Package tools pins the programs that the conformance tests use; `go build` takes them by their paths.
package tools

import (
	_ "github.com/summerwind/h2spec/cmd/h2spec"
	_ "google.golang.org/grpc/interop/client"
)
