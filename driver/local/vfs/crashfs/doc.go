// Package crashfs is a file system in memory that can lose power. It serves
// tests of what is to survive a power cut, a failing disk, a full disk and a
// flipped bit.
//
//	disk := crashfs.New()
//	d, err := local.Open(ctx, "/blobs", local.Options{FS: disk})
//	... write ...
//	after := disk.Crash(rng, crashfs.KeepSome)
//	d, err = local.Open(ctx, "/blobs", local.Options{FS: after})
//
// # What a power cut leaves
//
// A [FS] promises what POSIX and journaling file systems promise, and nothing
// that only some of them happen to do:
//
//   - Bytes of a file are durable once Sync or SyncData has returned nil, and so
//     is its size. Of what was written since, each sector of 512 bytes is what
//     it was, or what any one of the writes to it made it. A write of several
//     sectors may be torn between any two of them.
//   - A size that has changed since is any of the sizes that the file had,
//     whatever became of the bytes: a file that grew may hold zeros. Bytes that
//     were cut off never come back once the cut is kept.
//   - A name is durable once SyncDir of its folder has returned nil. A synced
//     file does not have a durable name for that. Of the changes of names since,
//     each happened or not, whatever became of the others; those of one name
//     keep their order. A file whose every name is lost is gone, and so is what
//     is in a folder whose name is lost.
//   - A rename is one change: the file has its old name or its new one, also
//     if they are in different folders, and then the sync of either makes both
//     ends durable. ext4, XFS and btrfs keep that. After [FS.SetStrict] only what
//     POSIX promises holds: the new name may be durable while the old one is
//     there still, until the folder of the old one is synced.
//   - When a sync fails, what it was to make durable is never known to be, even
//     if the next sync succeeds: the kernel has marked it clean. It stays
//     readable until the power cut, and then may be gone.
//   - Locks do not survive.
//
// A power cut in the middle of an operation leaves what one before it or behind
// it may leave, except that a sync may have been half done; that is among the
// states of one before it.
package crashfs
