//go:build !race

package local

const racing = false
