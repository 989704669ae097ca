//go:build !race

package durability

const racing = false
