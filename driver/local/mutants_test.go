package local

import (
	"testing"

	"github.com/vaultaire/vaultaire/driver/mutanttest"
)

// TestTheCrashTestFindsMissingSteps breaks the protocol of the driver in one
// place at a time. Each fault loses something in some power cut, and the crash
// test must find one.
func TestTheCrashTestFindsMissingSteps(t *testing.T) {
	if testing.Short() || racing {
		t.Skip("it builds this package many times over")
	}
	suite := mutanttest.Suite{
		Package: "./driver/local",
		Test:    "^TestAPowerCutAtAnyMomentLosesNothingAcknowledged$",
		Env:     []string{statesVariable + "=100000", crashVariable + "="},
	}
	suite.Run(t, append(append(mutantsOfFiles(), mutantsOfFolders()...), mutantsOfOrder()...))
}

func edit(name, file, old, new string) mutanttest.Mutant {
	return mutanttest.Mutant{Name: name, Edits: []mutanttest.Edit{{File: "driver/local/" + file, Old: old, New: new}}}
}

// mutantsOfFiles do not make durable what is in files, or take for sound what
// is not.
func mutantsOfFiles() []mutanttest.Mutant {
	return []mutanttest.Mutant{
		edit("put without sync of the segment", "appender.go",
			"a.assemble(id, items), sync)", "a.assemble(id, items), false)"),
		edit("delete without sync of the log", "deadlog.go",
			"l.active.append(l.batch, d.sync == SyncAlways)", "l.active.append(l.batch, false)"),
		edit("new segment without sync", "appendfile.go",
			"if err := d.syncFile(file); err != nil", "if err := error(nil); err != nil"),
		edit("file without sync", "putlarge.go",
			"if err := d.syncFile(f); err != nil", "if err := error(nil); err != nil"),
		edit("seal before what it seals", "appendfile.go",
			"if err := f.flush(f.pos); err != nil", "if err := error(nil); err != nil"),
		edit("recovery does not verify records", "recover.go",
			"_, err = load(f, id, ref, b, 0, r.size, true)", "_, err = load(f, id, ref, b, 0, r.size, false)"),
		edit("recovery keeps a torn tail", "recover.go",
			"if err != nil || !sound {", "_ = sound\n\t\tif err != nil {"),
		edit("recovery does not write records again", "recover.go",
			"_, err = f.WriteAt(b.record(), r.offset)", "_ = f"),
		edit("record claims that it is durable", "appender.go",
			"id.placeHead(item.buffer.head(), offset, durable)",
			"_ = durable\n\t\tid.placeHead(item.buffer.head(), offset, offset+recordSize(item.buffer.size))"),
		edit("log is written over", "deadlog.go",
			"file: file, pos: end,", "file: file, pos: markSize,"),
		edit("unfinished files stay", "root.go",
			"if err := d.fs.Remove(filepath.Join(tmp, e.Name())); err != nil", "if err := error(nil); err != nil"),
	}
}

// mutantsOfFolders do not make durable what is in folders.
func mutantsOfFolders() []mutanttest.Mutant {
	return []mutanttest.Mutant{
		edit("open without sync of the root", "root.go",
			"if err := d.syncFolder(d.root); err != nil", "if err := error(nil); err != nil"),
		edit("new segment without sync of its folder", "appendfile.go",
			"return f, d.settleFolder(filepath.Dir(path))", "_ = filepath.Dir(path)\n\treturn f, nil"),
		edit("put without sync of the folder", "putlarge.go",
			"return d.settleFolder(filepath.Dir(path))", "return nil"),
		edit("new folder without sync of its parent", "putlarge.go",
			"if err := d.settleFolder(filepath.Dir(path)); err != nil", "if err := error(nil); err != nil"),
		edit("delete without sync of the folder", "delete.go",
			"return d.settleFolder(folder)", "return nil"),
		edit("recovery without sync of folders", "flush.go",
			"if err := d.syncFolder(d.folderPath(folder)); err != nil", "_ = folder\n\t\tif err := error(nil); err != nil"),
		edit("asynchronous driver leaves no mark", "root.go",
			"return d.markUnflushed()", "return nil"),
		edit("logs are removed before the merged one is durable", "mergelogs.go",
			"return kept, d.syncFolder(filepath.Dir(path))", "return kept, nil"),
		edit("snapshot has its format before its files", "snapshot.go",
			"if err := s.sync(); err != nil", "if err := error(nil); err != nil"),
	}
}

// mutantsOfOrder do neighboring steps in the wrong order, or answer too early.
func mutantsOfOrder() []mutanttest.Mutant {
	return []mutanttest.Mutant{
		{Name: "file is moved to its place before it is synced", Edits: []mutanttest.Edit{
			{File: "driver/local/putlarge.go", Old: "if err := d.syncFile(f); err != nil", New: "if err := error(nil); err != nil"},
			{File: "driver/local/putlarge.go", Old: "	// A rename is a change of the folder,", New: `	f, err := d.fs.OpenWrite(path)
	if err != nil {
		return err
	}
	if err := errors.Join(d.syncFile(f), f.Close()); err != nil {
		return err
	}
	// A rename is a change of the folder,`},
		}},
		edit("call does not wait for its round", "rounds.go",
			"	<-b.done\n	return b.err", "	if first {\n		<-b.done\n		return b.err\n	}\n	return nil"),
		edit("move is told before it is durable", "compact.go",
			"if err := m.driver.flush(); err != nil", "if err := error(nil); err != nil"),
	}
}
