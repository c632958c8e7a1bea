package catalog

import (
	"encoding/binary"

	"github.com/vectorlink/vectorlink/snapshot"
)

// maxString bounds the name of a commit, in bytes.
const maxString = 4096

// appendInfo appends the size and the id of a commit's file and its header's record.
func appendInfo(b []byte, info *snapshot.Info) []byte {
	b = binary.AppendUvarint(b, uint64(info.Size))
	b = binary.LittleEndian.AppendUint64(b, info.ID)
	return snapshot.AppendHeader(b, &info.Header)
}

// parseInfo returns the commit of a domain of which p says that. like is the header
// read before.
func parseInfo(p []byte, domain string, like *snapshot.Header) (info snapshot.Info, err error) {
	size, n := binary.Uvarint(p)
	if n <= 0 || n > 1 && p[n-1] == 0 || size > 1<<62 {
		return info, badRecord("the size of its commit file is malformed")
	}
	if len(p) < n+8 {
		return info, badRecord("it ends early")
	}
	info.Size, info.ID = int64(size), binary.LittleEndian.Uint64(p[n:])
	if info.Header, err = snapshot.ParseHeader(p[n+8:], like); err != nil {
		return info, badRecord(err.Error())
	}
	if info.Domain != domain {
		return info, badRecord("it belongs to another domain")
	}
	return info, nil
}
