package live

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// maxLineBytes bounds one line of RDF and one object of JSON.
const maxLineBytes = 64 << 20

// source is one file to load.
type source struct {
	path string
	size int64
	json bool
}

// findSources lists the files under the paths, in order.
func findSources(paths []string) ([]source, error) {
	var out []source
	for _, p := range paths {
		err := filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name := strings.TrimSuffix(strings.ToLower(d.Name()), ".gz")
			isJSON := strings.HasSuffix(name, ".json")
			isRDF := strings.HasSuffix(name, ".rdf") || strings.HasSuffix(name, ".nq") || strings.HasSuffix(name, ".nt")
			if !isJSON && !isRDF {
				if path == p {
					return fmt.Errorf("%s: what is in it? The name should end in .rdf, .nq, .nt or .json, or these with .gz", path)
				}
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			out = append(out, source{path: path, size: info.Size(), json: isJSON})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// counted counts what is read of a file, so that progress can be told before the end is known.
type counted struct {
	in   io.Reader
	read *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.read.Add(int64(n))
	return n, err
}

// open opens a file for reading, unpacking gzip by what the file starts with.
func (s source) open(read *atomic.Int64) (*bufio.Reader, io.Closer, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return nil, nil, err
	}
	in := bufio.NewReaderSize(counted{f, read}, 1<<20)
	if magic, err := in.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("%s: %w", s.path, err), f.Close())
		}
		in = bufio.NewReaderSize(z, 1<<20)
	}
	return in, f, nil
}

// eachLine calls fn with every line and its number. The line is valid during the call.
func eachLine(in *bufio.Reader, fn func(n int, line []byte) error) error {
	var long []byte
	for n := 1; ; {
		part, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if long = append(long, part...); len(long) > maxLineBytes {
				return fmt.Errorf("line %d is longer than %d bytes", n, maxLineBytes)
			}
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return err
		}
		line := part
		if len(long) > 0 {
			line = append(long, part...)
			long = nil
		}
		if len(line) > 0 {
			if ferr := fn(n, bytes.TrimRight(line, "\r\n")); ferr != nil {
				return ferr
			}
		}
		if err != nil {
			return nil //nolint:nilerr // the end of the file
		}
		n++
	}
}

// eachObject calls fn with every top-level object of JSON input, counted from 1: those of one array, or one after the other.
func eachObject(in *bufio.Reader, fn func(n int, object []byte) error) error {
	d := json.NewDecoder(in)
	inArray, err := startsArray(in)
	if err != nil {
		return err
	}
	if inArray {
		if _, err := d.Token(); err != nil {
			return err
		}
	}
	for n := 1; ; n++ {
		if inArray && !d.More() {
			_, err := d.Token()
			return err
		}
		var raw json.RawMessage
		err := d.Decode(&raw)
		if errors.Is(err, io.EOF) && !inArray {
			return nil
		}
		if err != nil {
			return fmt.Errorf("object %d: %w", n, err)
		}
		if err := fn(n, raw); err != nil {
			return err
		}
	}
}

// startsArray looks at the first character that is no blank.
func startsArray(in *bufio.Reader) (bool, error) {
	for {
		b, err := in.ReadByte()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if b == ' ' || b == '\n' || b == '\r' || b == '\t' {
			continue
		}
		return b == '[', in.UnreadByte()
	}
}
