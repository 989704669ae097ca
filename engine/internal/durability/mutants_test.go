package durability

import (
	"testing"

	"github.com/vaultaire/vaultaire/driver/mutanttest"
)

// TestTheCrashTestFindsMissingSteps breaks the protocol of the engine, of the
// catalog and of its store in one place at a time. Each fault loses something in
// some power cut, and the crash test must find one. For those of the local
// driver see there.
func TestTheCrashTestFindsMissingSteps(t *testing.T) {
	if testing.Short() || racing {
		t.Skip("it builds the engine many times over")
	}
	suite := mutanttest.Suite{
		Package: "./engine/internal/durability",
		Test:    "^TestAPowerCutLosesNothingAcknowledged$",
		Env:     []string{statesVariable + "=6000", crashVariable + "="},
	}
	suite.Run(t, append(storeMutants(), catalogMutants()...))
}

func edit(name, file, old, new string) mutanttest.Mutant {
	return mutanttest.Mutant{Name: name, Edits: []mutanttest.Edit{{File: "engine/" + file, Old: old, New: new}}}
}

// storeMutants do not make durable what the store is told, or not in order.
func storeMutants() []mutanttest.Mutant {
	const store = "engine/catalog/pebblestore/"
	return []mutanttest.Mutant{
		edit("commit without sync of the log", "catalog/pebblestore/logfile.go",
			"		return nil\n	}\n	return f.syncAll()", "		return nil\n	}\n	return nil"),
		edit("every commit is lazy", "catalog/pebblestore/commit.go",
			"return s.update(ctx, fn, false)", "return s.update(ctx, fn, true)"),
		{Name: "commit is acknowledged before its sync", Edits: []mutanttest.Edit{
			{File: store + "commit.go", Old: "if err := c.batch.SyncWait(); err != nil", New: "go c.batch.SyncWait()\n		if err := error(nil); err != nil"},
			{File: store + "commit.go", Old: "if err := batch.Close(); err != nil", New: "_ = batch\n	if err := error(nil); err != nil"},
		}},
		edit("format without sync", "catalog/pebblestore/format.go",
			"err = file.Sync()", "err = nil"),
		edit("format without sync of its folder", "catalog/pebblestore/format.go",
			"if err := syncDirectory(fsys, dir); err != nil", "if err := error(nil); err != nil"),
		edit("new folder without sync of its parent", "catalog/pebblestore/format.go",
			"if err := syncDirectory(fsys, parent); err != nil", "_ = parent\n		if err := error(nil); err != nil"),
		edit("marker before what it marks", "catalog/pebblestore/fence.go",
			"return syncDirectory(f.fs, f.fs.PathDir(name))", "return nil"),
	}
}

// catalogMutants delete what a power cut may bring back the need of, or do in
// two commits what is one.
func catalogMutants() []mutanttest.Mutant {
	return []mutanttest.Mutant{
		{Name: "blobs are freed before it is durable that nobody needs them", Edits: []mutanttest.Edit{
			{File: "engine/catalog/reclaim.go", Old: "	err = c.store.Update(ctx, func(ctx context.Context, t Txn) error {\n		list = nil\n		if err := c.checkIncarnation(ctx, t); err != nil {\n			return err\n		}\n",
				New: "	err = c.store.View(ctx, func(ctx context.Context, t Reader) error {\n		list = nil\n"},
		}},
		edit("put is two commits", "catalog/put.go",
			"		t.Set(s.contentKey(v.Content), encodeRow(&content))\n		s.addUsage(t, name, &v, +1)\n		return nil\n	})\n",
			"		s.addUsage(t, name, &v, +1)\n		return nil\n	})\n	if err == nil {\n		err = s.catalog.commit(ctx, func(ctx context.Context, t Txn) error {\n			t.Set(s.contentKey(v.Content), encodeRow(&content))\n			return nil\n		})\n	}\n"),
		edit("delete is two commits", "catalog/delete.go",
			"		return s.dropVersion(ctx, t, name, &v, s.catalog.epochs.current.Load())\n	})\n",
			"		return nil\n	})\n	if err == nil {\n		err = s.catalog.commit(ctx, func(ctx context.Context, t Txn) error {\n			return s.dropVersion(ctx, t, name, &v, s.catalog.epochs.current.Load())\n		})\n	}\n"),
		edit("what is replaced is forgotten", "catalog/put.go",
			"		t.Set(s.condemnedKey(v.Content), encodeRow(&condemnedRow{Epoch: epoch}))", "		_ = epoch"),
		edit("sweep takes what is being put for an orphan", "sweep.go",
			"if r.isActive(trailer.Content) {", "if false {"),
	}
}
