//go:build !soak

package local

const soaking = false
