//go:build race

package local

const racing = true
