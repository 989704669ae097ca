//go:build !soak

package durability

const soaking = false
