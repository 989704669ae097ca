// Package vaultaire is the root of an embeddable, multi-tenant storage engine
// for Go programs. It holds no code; these packages do:
//
//   - [github.com/vaultaire/vaultaire/engine] is what an application uses: an
//     Engine with containers of artifacts, versions, conditions and events.
//   - [github.com/vaultaire/vaultaire/engine/embedded] opens an Engine that
//     keeps everything in one directory, in one call. Start here.
//   - [github.com/vaultaire/vaultaire/container] is the vocabulary: what
//     containers, artifacts, ranges and conditions are, and the errors.
//   - [github.com/vaultaire/vaultaire/tenant] says on whose behalf an operation
//     runs.
//   - [github.com/vaultaire/vaultaire/event] tells the application about every
//     operation, and [github.com/vaultaire/vaultaire/metrics] counts them for
//     Prometheus.
//   - [github.com/vaultaire/vaultaire/s3compat] is an http.Handler that serves
//     an Engine to S3 clients, inside the application's own router.
//   - [github.com/vaultaire/vaultaire/driver] is the contract for those who
//     keep bytes somewhere else, and holds the drivers that come along.
//   - [github.com/vaultaire/vaultaire/engine/catalog] is the layer of names, and
//     the contract for those who keep names somewhere else.
//
// README.md has a program that runs, the guarantees, and how to write a driver.
package vaultaire
