package access

import (
	"fmt"
	"os/user"
	"strconv"
	"sync"
)

// Resolver looks up names of users and groups. The functions may be called
// concurrently; a nil one knows no names.
type Resolver struct {
	LookupUser  func(name string) (uid uint32, err error)
	LookupGroup func(name string) (gid uint32, err error)
	UserName    func(uid uint32) string // "" when unknown
	GroupName   func(gid uint32) string // "" when unknown
}

// SystemResolver reads the user and group databases of the machine. Names of
// ids are looked up once and remembered, unknown ones too: a refused caller
// must not cost a walk through the databases on each attempt.
func SystemResolver() Resolver {
	return Resolver{
		LookupUser: func(name string) (uint32, error) {
			u, err := user.Lookup(name)
			if err != nil {
				return 0, fmt.Errorf("looking it up: %w", err)
			}
			return number(u.Uid)
		},
		LookupGroup: func(name string) (uint32, error) {
			g, err := user.LookupGroup(name)
			if err != nil {
				return 0, fmt.Errorf("looking it up: %w", err)
			}
			return number(g.Gid)
		},
		UserName: remembered(func(id string) string {
			u, err := user.LookupId(id)
			if err != nil {
				return ""
			}
			return u.Username
		}),
		GroupName: remembered(func(id string) string {
			g, err := user.LookupGroupId(id)
			if err != nil {
				return ""
			}
			return g.Name
		}),
	}
}

func number(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("its id %q is not a number: %w", s, err)
	}
	return uint32(n), nil
}

// rememberedNames bounds the memory: ids come from callers.
const rememberedNames = 1024

func remembered(lookup func(id string) string) func(uint32) string {
	var mu sync.Mutex
	names := map[uint32]string{}
	return func(id uint32) string {
		mu.Lock()
		defer mu.Unlock()
		name, ok := names[id]
		if !ok {
			name = lookup(strconv.FormatUint(uint64(id), 10))
			if len(names) < rememberedNames {
				names[id] = name
			}
		}
		return name
	}
}
