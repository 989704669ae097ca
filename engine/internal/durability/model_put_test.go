package durability

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
)

// A modelPut is a Put as it is going to be made.
type modelPut struct {
	who       caller
	name, key string
	body      []byte
	id        uint64 // of the body's pattern
	opts      engine.PutOptions
	invalid   error // what is wrong with the options
	streams   error // what is found wrong when the body has been read
	src       *modelSource
}

// put stores an artifact, or fails to. While the engine reads the body, other
// operations happen to the same container.
func (r *modelRun) put() error {
	p := r.randomPut()
	ctx, cancel := context.WithCancel(p.who.context(r.t.Context()))
	defer cancel()
	p.src.cancel = cancel
	want := r.refusal(p)
	r.logf("put %v %q %q, %d bytes of body %d, %+v: %v, %v", p.who, p.name, p.key, len(p.body), p.id, p.opts, want, p.streams)
	got, err := r.eng.Put(ctx, p.name, p.key, p.src, p.opts)
	if p.src.failure != nil {
		return p.src.failure
	}
	if want != nil && p.src.reads > 0 {
		return fmt.Errorf("the source of a put was read that is refused with %w", want)
	}
	if want == nil {
		if want = p.streams; want == nil {
			want = r.refusal(p) // things have changed while it was read
		}
	}
	r.logf("put has ended: %v", want)
	if err := r.check(err, want); err != nil || want != nil {
		return err
	}
	a, err := r.putArtifact(p, got)
	if err != nil {
		return err
	}
	r.state[p.who.tenant][p.name].artifacts[p.key] = &modelArtifact{a, p.id}
	return sameArtifact(got, a)
}

// refusal returns why a put that was committed now would be refused.
func (r *modelRun) refusal(p *modelPut) error {
	if err := invalidCall(p.who, p.name, p.key, p.opts.Condition); err != nil {
		return err
	}
	if p.invalid != nil {
		return p.invalid
	}
	c, err := r.state.find(p.who, p.name)
	if err != nil {
		return err
	}
	return c.artifacts[p.key].checkWrite(p.opts.Condition)
}

// putArtifact returns the artifact that a put must have made. The engine chooses
// a tag of its own if it is not told one.
func (r *modelRun) putArtifact(p *modelPut, got container.Artifact) (container.Artifact, error) {
	a := container.Artifact{
		Container: p.name, Key: p.key, Version: container.NullVersion, Size: int64(len(p.body)), Modified: r.now.UTC(),
		Headers: p.opts.Headers, Metadata: p.opts.Metadata, Class: p.opts.Class,
	}
	algorithms := append([]container.Algorithm{container.CRC64NVME}, p.opts.Digests...)
	for _, d := range p.opts.Expect {
		algorithms = append(algorithms, d.Algorithm)
	}
	slices.Sort(algorithms)
	for _, algorithm := range slices.Compact(algorithms) {
		d, err := digest(algorithm, p.body)
		if err != nil {
			return a, err
		}
		a.Digests = append(a.Digests, d)
	}
	if a.Tag = got.Tag; p.opts.Tag != nil {
		a.Tag = p.opts.Tag(nil)
	}
	if before := r.current(p.who, p.name, p.key); a.Tag == "" || p.opts.Tag == nil && before != nil && before.Tag == a.Tag {
		return a, fmt.Errorf("the tag %q is not a new one", a.Tag)
	}
	return a, nil
}

func digest(algorithm container.Algorithm, body []byte) (container.Digest, error) {
	h, err := engine.NewHash(algorithm)
	if err != nil {
		return container.Digest{}, err
	}
	h.Write(body)
	return container.Digest{Algorithm: algorithm, Sum: string(h.Sum(nil))}, nil
}

func (r *modelRun) randomPut() *modelPut {
	c := r.choose
	r.bodies++
	p := &modelPut{id: r.bodies, body: pattern(r.bodies, c.size())}
	p.who, p.name, p.key = r.target()
	p.src = &modelSource{run: r, src: bytes.NewReader(p.body)}
	p.opts.Condition = c.condition(r.current(p.who, p.name, p.key))
	if c.oneIn(3) {
		p.opts.Size = int64(len(p.body))
	}
	if c.oneIn(4) {
		p.opts.Headers = container.ContentHeaders{ContentType: "text/plain", CacheControl: "no-store", Expires: "\xff"}
		p.opts.Metadata = map[string]string{"color": "réd", "bytes": "\x00\xff", "long": strings.Repeat("x", c.IntN(3000))}
		p.opts.Class = "COLD"
	}
	if c.oneIn(4) {
		p.opts.Tag = func(container.Digests) string { return fmt.Sprintf("tag-%d", p.id) }
	}
	all := []container.Algorithm{container.CRC32, container.CRC32C, container.CRC64NVME, container.MD5, container.SHA1, container.SHA256}
	if c.oneIn(4) {
		p.opts.Digests = []container.Algorithm{pick(c, all), pick(c, all)}
	}
	if c.oneIn(6) {
		right, err := digest(pick(c, all), p.body)
		if err != nil {
			panic(err)
		}
		p.opts.Expect = container.Digests{right}
	}
	p.src.nested = c.oneIn(8) && r.depth == 0
	switch {
	case c.oneIn(60):
		r.spoilOptions(p)
	case c.oneIn(12):
		r.spoilStream(p)
	}
	return p
}

// spoilOptions makes the options of a put invalid.
func (r *modelRun) spoilOptions(p *modelPut) {
	p.opts.Condition, p.invalid = container.Condition{}, container.ErrInvalid
	switch r.choose.IntN(5) {
	case 0:
		p.opts.Size = -1
	case 1:
		p.opts.Size, p.invalid = container.MaxSize+1, container.ErrTooLarge
	case 2:
		p.opts.Class = strings.Repeat("c", 65)
	case 3:
		p.opts.Metadata = map[string]string{"": "x"}
	case 4:
		p.opts.Metadata, p.invalid = map[string]string{"x": strings.Repeat("x", container.MaxMetadataLength)}, container.ErrTooLarge
	}
}

// spoilStream makes a put fail at the end of its body.
func (r *modelRun) spoilStream(p *modelPut) {
	size := int64(len(p.body))
	switch r.choose.IntN(6) {
	case 0:
		p.opts.Size, p.streams = size+1+r.choose.Int64N(100), container.ErrLength
	case 1:
		if size > 1 {
			p.opts.Size, p.streams = 1+r.choose.Int64N(size-1), container.ErrLength
		}
	case 2:
		p.opts.Expect, p.streams = container.Digests{{Algorithm: container.SHA256, Sum: strings.Repeat("0", 32)}}, container.ErrDigest
	case 3:
		p.opts.Tag, p.streams = func(container.Digests) string { return `"` }, container.ErrInvalid
	case 4:
		p.src.end, p.streams = errSabotage, container.ErrSource
	case 5:
		p.src.cancels, p.streams = true, context.Canceled
	}
}

// A modelSource is the body of a put. When it has been read, other operations may
// happen before the engine hears of it.
type modelSource struct {
	run     *modelRun
	src     io.Reader
	end     error // instead of io.EOF
	cancels bool  // the context of the put, before the end
	cancel  func()
	nested  bool

	reads   int
	failure error // of a nested operation
}

func (s *modelSource) Read(p []byte) (int, error) {
	s.reads++
	if s.cancels {
		// The read after the one that cancels fails: nothing is stored.
		s.cancel()
		s.cancels = false
		return 0, nil
	}
	n, err := s.src.Read(p)
	if err == io.EOF && s.nested {
		s.nested = false
		s.run.depth++
		for range 1 + s.run.choose.IntN(4) {
			s.failure = errors.Join(s.failure, s.run.step())
		}
		s.run.depth--
	}
	if err == io.EOF && s.end != nil {
		err = s.end
	}
	return n, err
}
