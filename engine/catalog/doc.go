// Package catalog knows names: containers, artifacts, versions, where their
// bytes are, and how much of everything there is. It is a thin layer of rows
// and transactions over a [Store], an ordered transactional key-value store.
//
// The engine is the only user of a [Catalog]; who embeds an engine meets this
// package to choose or to write a Store.
package catalog
