// Package standard knows every driver of Vaultaire's root module by name:
//
//	kind     package        what it is
//	local    driver/local   bytes on disk, the default
//	memory   driver/memory  bytes in RAM, for tests
//
// A program that lets its users choose a driver by name starts from here:
//
//	registry := standard.Registry()
//	err := registry.Register("tape", tape.OpenConfig) // its own, beside them
//	d, err := registry.Open(ctx, "local", map[string]any{"dir": "/srv/blobs"})
package standard

import (
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/local"
	"github.com/vaultaire/vaultaire/driver/memory"
)

// Registry returns a new registry with every driver of the root module. It is
// the caller's own to add to.
func Registry() *driver.Registry {
	r := new(driver.Registry)
	for kind, open := range map[string]driver.OpenFunc{
		"local":  local.OpenConfig,
		"memory": memory.OpenConfig,
	} {
		// Register refuses only a name that is taken, and r is new.
		_ = r.Register(kind, open)
	}
	return r
}
